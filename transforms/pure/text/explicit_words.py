"""English words that mark a track as explicit: swear words, slurs and sexual terms."""

_WORDS = """
arse arsehole ass asshole bastard bitch blowjob bollocks boner bugger bullshit clit cock cocksucker coon crap cum cunt
dammit damn dick dickhead dildo dipshit douche dyke fag faggot fuck fuckboy fucker fuckin goddamn handjob hoe horny
jackass jerkoff jizz kike milf motherfuck motherfucker nigga nigger orgy piss porn prick pussy queef rape retard shit
shitty skank slut spic thot tit titty tranny twat wank wanker whore
"""
EXPLICIT = frozenset(_WORDS.split())
_NAMES = "bugger cocker cocks coon cumming cummings dick dicker dickers dicks dyke dykes fagin hoes titty"
NAMES = frozenset(_NAMES.split())
"""Explicit words and their forms that are also surnames or first names: Joe Cocker, Van Dyke Parks, Philip K. Dick."""
