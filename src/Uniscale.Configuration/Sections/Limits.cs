namespace Uniscale.Configuration;

/// <summary>
/// Largest values of a configuration, far beyond what anybody trains: they keep arithmetic within its types and a slip of the keyboard from
/// asking for
/// more memory than there is.
/// </summary>
public static class Limits
{
    /// <summary>Transformer blocks, and chunks of them.</summary>
    public const int Layers = 10_000;

    /// <summary>Width of a layer, of its feed-forward part, or of a head.</summary>
    public const int Width = 1 << 24;

    /// <summary>Heads of a layer.</summary>
    public const int Heads = 1 << 16;

    /// <summary>Tokens in a sequence.</summary>
    public const int Context = 1 << 27;

    /// <summary>Entries of a vocabulary.</summary>
    public const int Vocabulary = 1 << 26;

    /// <summary>Weights of a model's layers together.</summary>
    public const long Weights = 10_000_000_000_000_000;

    /// <summary>Sequences in an optimizer step.</summary>
    public const int Sequences = 1 << 20;

    /// <summary>Ranks of a job.</summary>
    public const int Ranks = 1 << 20;

    /// <summary>Optimizer steps of a run.</summary>
    public const long Steps = 1_000_000_000_000;

    /// <summary>Tokens of a run.</summary>
    public const long Tokens = 100_000_000_000_000_000;

    /// <summary>
    /// Passes of blocks in one step of a rank: layers times microbatches. The program of a step holds several instructions for each.
    /// </summary>
    public const long Passes = 1_000_000;
}
