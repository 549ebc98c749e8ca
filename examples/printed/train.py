"""Knows nothing of Trawl: takes --depth and --rate, prints its loss."""

import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int, required=True)
parser.add_argument("--rate", type=float, required=True)
args = parser.parse_args()

for epoch in range(3):
    loss = (args.depth - 3) ** 2 + abs(args.rate - 0.1) + 1 / (epoch + 1)
    print(f"epoch {epoch} loss: {loss:.4f}")
