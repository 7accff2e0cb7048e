from command_fixtures import folder

__all__ = ["folder"]
