"""``MGET`` is packed as by the client library."""

import hiredis
import hypothesis.strategies as st
from hypothesis import given

from feature_repo.packed.mget import pack_mget


@given(st.lists(st.binary(max_size=12), max_size=20))
def test_it_is_packed_as_by_the_client_library(names: list[bytes]) -> None:
    assert pack_mget(names) == hiredis.pack_command(("MGET", *names))
