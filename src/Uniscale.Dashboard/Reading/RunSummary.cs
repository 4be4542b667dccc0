using System.Collections.ObjectModel;
using Uniscale.Telemetry;

namespace Uniscale.Dashboard.Reading;

/// <summary>A run in one line: what the beginning and the end of its metrics file say, and what its launcher says.</summary>
public sealed record RunSummary
{
    /// <summary>The run.</summary>
    public required Safety.FoundFolder Run { get; init; }

    /// <summary>Whether it goes on.</summary>
    public RunState State { get; init; } = RunState.Unknown;

    /// <summary>Steps done.</summary>
    public long Step { get; init; }

    /// <summary>0: not known.</summary>
    public long TotalSteps { get; init; }

    /// <summary>Tokens fed.</summary>
    public long ConsumedTokens { get; init; }

    /// <summary>Tokens of the whole run; 0: not known.</summary>
    public long TotalTokens { get; init; }

    /// <summary>Trainable numbers of the model.</summary>
    public long ParameterCount { get; init; }

    /// <summary>Ranks of the world.</summary>
    public long Ranks { get; init; }

    /// <summary>Ranks by axis, e.g. <c>tp2 pp2 dp1</c>.</summary>
    public string Layout { get; init; } = "";

    /// <summary>Phase of the curriculum; null: the run has one only.</summary>
    public string? Phase { get; init; }

    /// <summary>Loss of the last step; null: there was none. It may be NaN or infinite.</summary>
    public double? Loss { get; init; }

    /// <summary>Its loss by domain; empty: the run has one domain.</summary>
    public IReadOnlyDictionary<string, double> DomainLosses { get; init; } = ReadOnlyDictionary<string, double>.Empty;

    /// <summary>Learning rate of the last step; NaN: not known, as for the three that follow.</summary>
    public double LearningRate { get; init; } = double.NaN;

    /// <summary>Gradient norm of the last step, before clipping.</summary>
    public double GradientNorm { get; init; } = double.NaN;

    /// <summary>Speed of the last step.</summary>
    public double TokensPerSecond { get; init; } = double.NaN;

    /// <summary>Share of the peak, 0 to 1.</summary>
    public double Mfu { get; init; } = double.NaN;

    /// <summary>Of rank 0's device, or of its process where tensors lie in host memory.</summary>
    public double MemoryBytes { get; init; } = double.NaN;

    /// <summary>Seconds that are left.</summary>
    public double Remaining { get; init; } = double.NaN;

    /// <summary>Share of the time that went into steps that count.</summary>
    public double EffectiveShare { get; init; } = double.NaN;

    /// <summary>Times that the supervisor started the run again.</summary>
    public int Restarts { get; init; }

    /// <summary>Steps whose updates are not in the weights.</summary>
    public long SkippedCount { get; init; }

    /// <summary>Times that it went back to a checkpoint.</summary>
    public long Rollbacks { get; init; }

    /// <summary>The latest validation of each source that stands near the end of the file, by its name.</summary>
    public IReadOnlyDictionary<string, ValidationPoint> Validations { get; init; } = new Dictionary<string, ValidationPoint>();

    /// <summary>The latest score of each task that stands near the end of the file, by its name.</summary>
    public IReadOnlyDictionary<string, ScorePoint> Scores { get; init; } = new Dictionary<string, ScorePoint>();

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
