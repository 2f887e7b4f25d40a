"""Korean text made uniform: characters, jamo, mojibake, Hanja, chat style; and where its sentences end."""
