"""Orders ranked candidates as they are shown: the long tail raised, diversified, with few tracks by each artist."""

import numpy as np

from inference.recommend import diversify as diversity_of
from inference.recommend.catalogue import Catalogue
from inference.recommend.explain import Ranking
from inference.recommend.request import RequestOptions
from transforms.pure.candidates.exposure import raise_exposure
from transforms.pure.candidates.pool import Pool


def rerank(
    catalogue: Catalogue, pool: Pool, ranking: Ranking, history: np.ndarray, options: RequestOptions, count: int
) -> np.ndarray:
    """Order the rows of the candidates for an answer; its first ``count`` rows are shown.

    Args:
        catalogue: the tracks of the bundle.
        pool: the candidates.
        ranking: their order.
        history: places of the tracks that the listener heard.
        options: options of the request.
        count: number of tracks of the answer.
    """
    order = ranking.order
    if options.diversify is not None or options.long_tail > 0:
        scores = -np.argsort(order).astype(float) if ranking.scores is None else ranking.scores
    if options.long_tail > 0:
        is_tail = catalogue.is_long_tail[pool.places]
        order, scores = raise_exposure(order, scores, is_tail, count, options.long_tail, options.long_tail_loss)
    if options.diversify is not None:
        top = order[: diversity_of.RERANK_DEPTH * count]
        if options.diversify == "mmr":
            vectors = catalogue.vectors("content", pool.places[top])
            if not vectors.any():
                vectors = catalogue.vectors("taste", pool.places[top])
            top = diversity_of.mmr(top, scores, vectors, count, options.diversity)
        else:
            target_shares = diversity_of.genre_shares([catalogue.genres[place] for place in history.tolist()])
            top_genres = [catalogue.genres[place] for place in pool.places[top].tolist()]
            top = diversity_of.calibrated(top, scores, top_genres, target_shares, count, options.diversity)
        order = np.concatenate([top, order[diversity_of.RERANK_DEPTH * count :]])
    max_per_artist = options.most_by_artist or max(-(-count // 3), 2)
    return diversity_of.limit_per_artist(order, catalogue.artists[pool.places], count, max_per_artist)
