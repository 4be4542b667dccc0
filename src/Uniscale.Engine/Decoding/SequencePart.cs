using Uniscale.Collectives;
using Uniscale.Engine.Parallel.Sequences;

namespace Uniscale.Engine.Decoding;

/// <summary>New tokens of a sequence that a model is to read.</summary>
/// <param name="Cache">What it has read of the sequence.</param>
/// <param name="Tokens">The tokens that come next; at least one.</param>
/// <param name="Wanted">Logits are wanted behind the last so many of them.</param>
public readonly record struct SequencePart(KeyValueCache Cache, ReadOnlyMemory<int> Tokens, int Wanted = 1);

/// <summary>Takes the logits behind a token.</summary>
/// <param name="part">Number of the part among those that are read together.</param>
/// <param name="index">Which of the part's wanted tokens, from 0.</param>
/// <param name="logits">[vocabulary]; good for this call only.</param>
public delegate void LogitsReader(int part, int index, ReadOnlySpan<float> logits);

/// <summary>
/// The ranks that read together, where a model is spread over several; seen from one of them. All call the same, with the same tokens.
/// </summary>
public sealed record DecodingGroups
{
    /// <summary>Ranks that share the matrices of a layer; null: this rank has them whole.</summary>
    public IProcessGroup? Tensor { get; init; }

    /// <summary>Ranks that hold the blocks between them; null: this rank has them all.</summary>
    public IProcessGroup? Pipeline { get; init; }

    /// <summary>Place in <see cref="Pipeline"/> of the rank that holds a block, by the block's number.</summary>
    public Func<int, int> StageOf { get; init; } = _ => 0;
}
