"""Words that name or show an emotion; they help the emotion model where a class has few texts.

The classes are Ekman's six emotions (1992), love, and neutral. The list was written for this project and contains no
published lexicon.
"""

EMOTION_WORDS: dict[str, str] = {
    "anger": "angry anger rage furious fury mad hate hatred hostile outrage outraged annoyed annoying irritated "
    "irritating resent resentment bitter revenge enraged violent fight fighting scream yelling damn wrath livid "
    "infuriating infuriated vicious fierce hostility vengeful quarrel insult insulting betrayed burn smash",
    "disgust": "disgust disgusting disgusted gross revolting repulsive nasty vile foul filthy sickening sick nausea "
    "nauseating rotten loathsome repugnant vulgar stink stench putrid ugly repellent distasteful yuck icky creepy "
    "obscene offensive slimy tasteless loathing",
    "fear": "fear afraid scared scary terrified terror terrifying horror horrifying frightened frightening panic dread "
    "anxious anxiety nervous nightmare haunted haunting chilling creepy menace menacing threat threatening danger "
    "dangerous tremble trembling spooky suspense suspenseful eerie paranoia worry worried",
    "joy": "joy joyful joyous happy happiness glad delight delightful delighted cheerful fun funny laugh laughter "
    "laughing smile smiling celebrate celebration party hilarious amusing merry exuberant exhilarating uplifting "
    "playful sunny bliss blissful giddy jolly upbeat dance dancing triumphant enjoy enjoyable entertaining",
    "love": "love loving lovely romance romantic tender tenderness affection affectionate adore adoring darling kiss "
    "kissing sweetheart passion passionate embrace devotion devoted beloved cherish heart hearts lover lovers baby "
    "honey forever valentine intimate intimacy desire warmth caring",
    "sadness": "sad sadness sorrow sorrowful grief grieving mourn mourning cry crying tears tearful lonely loneliness "
    "heartbreak heartbroken heartbreaking miserable misery depressed depressing depression despair melancholy gloomy "
    "goodbye loss lost regret tragic tragedy weep weeping hopeless bleak hurt broken pain painful blue",
    "surprise": "surprise surprised surprising surprisingly unexpected unexpectedly astonished astonishing amazed "
    "amazing shock shocked shocking sudden suddenly startling startled stunned wow twist "
    "unpredictable incredible unbelievable astounding revelation bewildered",
    "neutral": "the film is about two hours long|it is set in the city|directed by the author|the story takes place "
    "in summer|released in may|a track of four minutes|the second album of the band|recorded in a studio|"
    "the cast includes|it was written in spring|the band has four members|this is a report|"
    "the title of the song|on the next page",
}
"""Class → words, separated by spaces; for neutral, sentences, separated by ``|``."""


def seeds() -> list[tuple[str, str]]:
    """Return the text and the class of each word and sentence."""
    return [
        (text, emotion)
        for emotion, listed_texts in EMOTION_WORDS.items()
        for text in (listed_texts.split("|") if "|" in listed_texts else listed_texts.split())
    ]
