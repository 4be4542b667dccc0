namespace Uniscale.Dashboard.Reading;

/// <summary>A sequence that a step trains on.</summary>
/// <param name="Index">Its number in the run.</param>
/// <param name="Source">Source that it is of.</param>
/// <param name="Epoch">Which time the source is seen, from 1.</param>
/// <param name="Place">Shard, tokens and documents.</param>
/// <param name="Text">Its beginning; null: there is no tokenizer.</param>
public sealed record FedSample(long Index, string Source, long Epoch, string Place, string? Text);

/// <summary>What was taken from a source until a position.</summary>
/// <param name="Tokens">Tokens fed.</param>
/// <param name="Epochs">Times that the source was seen.</param>
/// <param name="PassedOver">Tokens left out, at the ends of epochs and to begin at whole sequences.</param>
public sealed record FedSource(string Name, long Tokens, double Epochs, long PassedOver);

/// <summary>What a run is fed at a position of its curriculum.</summary>
/// <param name="Problem">Why it cannot be told; null: it can.</param>
/// <param name="From">Tokens before the step.</param>
/// <param name="Tokens">Tokens of the step.</param>
/// <param name="Head">The step in words.</param>
/// <param name="Samples">Its first sequences.</param>
/// <param name="Sources">What was fed before it.</param>
public sealed record FedPosition(
    string? Problem,
    long From,
    long Tokens,
    IReadOnlyList<string> Head,
    IReadOnlyList<FedSample> Samples,
    IReadOnlyList<FedSource> Sources
)
{
    /// <summary>A position of which nothing can be told, and why.</summary>
    public static FedPosition Without(string problem) => new(problem, 0, 0, [], [], []);
}
