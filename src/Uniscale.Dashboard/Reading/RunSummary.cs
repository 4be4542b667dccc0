using Uniscale.Telemetry;

namespace Uniscale.Dashboard.Reading;

/// <summary>A run in one line: what the beginning and the end of its metrics file say, and what its launcher says.</summary>
public sealed record RunSummary
{
    /// <summary>The run.</summary>
    public required Safety.FoundFolder Run { get; init; }

    public RunState State { get; init; } = RunState.Unknown;

    public long Step { get; init; }

    /// <summary>0: not known.</summary>
    public long TotalSteps { get; init; }

    public long ConsumedTokens { get; init; }

    public long TotalTokens { get; init; }

    public long ParameterCount { get; init; }

    public long Ranks { get; init; }

    public string Layout { get; init; } = "";

    public string? Phase { get; init; }

    /// <summary>Loss of the last step; null: there was none. It may be NaN or infinite.</summary>
    public double? Loss { get; init; }

    public double LearningRate { get; init; } = double.NaN;

    public double GradientNorm { get; init; } = double.NaN;

    public double TokensPerSecond { get; init; } = double.NaN;

    public double Mfu { get; init; } = double.NaN;

    /// <summary>Of rank 0's device, or of its process where tensors lie in host memory.</summary>
    public double MemoryBytes { get; init; } = double.NaN;

    /// <summary>Seconds that are left.</summary>
    public double Remaining { get; init; } = double.NaN;

    /// <summary>Share of the time that went into steps that count.</summary>
    public double EffectiveShare { get; init; } = double.NaN;

    /// <summary>Times that the supervisor started the run again.</summary>
    public int Restarts { get; init; }

    public long SkippedCount { get; init; }

    public long Rollbacks { get; init; }

    /// <summary>The latest validation of each source that stands near the end of the file, by its name.</summary>
    public IReadOnlyDictionary<string, ValidationPoint> Validations { get; init; } = new Dictionary<string, ValidationPoint>();

    /// <summary>Newest checkpoint that is whole; null: there is none.</summary>
    public long? CheckpointStep { get; init; }

    /// <summary>When the run last told something.</summary>
    public DateTimeOffset? Told { get; init; }

    /// <summary>Its last words, where it ended.</summary>
    public string? Ending { get; init; }

    /// <summary>The last fault, in the launcher's words.</summary>
    public string? LastFault { get; init; }

    /// <summary>Share of the steps that are done, 0 to 1; null: not known.</summary>
    public double? Progress => TotalSteps > 0 ? Math.Clamp((double)Step / TotalSteps, 0, 1) : null;
}
