"""Onboardings through a running gateway: its client (`asking`), the child processes that it starts for its own clients
(`onboardings`) and their pages. What an onboarding does is the room `onboard`.
"""
