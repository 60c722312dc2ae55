"""What a client and a server of encrypted scores have to agree on: parameters of CKKS, and the form of what is sent.

- Takes and returns: bytes, as TenSEAL writes them, and whole numbers.
- Promises: nothing but ``scheme`` needs TenSEAL, when it is called; messages of strangers are taken apart in Python, by
  lengths that were checked, before a library in C++ sees what is in them.
- Next: ``refrain.client.encryption`` encrypts and decrypts, ``inference.encrypted`` evaluates.
"""
