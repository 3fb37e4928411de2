"""The judge: from counts to verdicts, pure and with the standard library only."""
