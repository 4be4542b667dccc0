namespace Uniscale.Checkpoints;

/// <summary>Everything that a save writes, seen from one rank. All but the slices is the same on every rank; rank 0's is written.</summary>
public sealed record CheckpointState
{
    /// <summary>Optimizer steps done.</summary>
    public required long Step { get; init; }

    /// <summary>Tokens fed in those steps.</summary>
    public required long ConsumedTokens { get; init; }

    /// <summary>The resolved configuration of the run.</summary>
    public string ConfigurationYaml { get; init; } = "";

    /// <summary>Digest of the configuration.</summary>
    public string ConfigurationHash { get; init; } = "";

    /// <summary>Digest of the data and of what decides its order.</summary>
    public string DataFingerprint { get; init; } = "";

    /// <summary>Kept by retention for ever, e.g. the end of a phase.</summary>
    public bool Keep { get; init; }

    /// <summary>
    /// What other parts of a run want back at a resume, by name (curriculum position, ledger, spike statistics); opaque here.
    /// </summary>
    public IReadOnlyDictionary<string, string> Extra { get; init; } = new Dictionary<string, string>();

    /// <summary>This rank's parts of the tensors. What several ranks hold alike is written once.</summary>
    public required IReadOnlyList<StateSlice> Slices { get; init; }

    /// <summary>
    /// All tensors of the checkpoint, those too of which this rank holds nothing; the same on every rank. Null: those of
    /// <see cref="Slices"/>.
    /// </summary>
    public IReadOnlyList<StateTensor>? Tensors { get; init; }
}
