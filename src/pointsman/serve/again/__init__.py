"""Decisions made again: what the journal keeps of each (`basis`), read back (`kept`), ranked anew (`decided`, `texts`)
and compared with what was served (`agreement`).
"""
