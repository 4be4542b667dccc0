using System.Globalization;

namespace Uniscale.Telemetry.Accounting;

/// <summary>What the time of a run goes into.</summary>
public enum TimeUse
{
    /// <summary>Steps whose updates are in the weights.</summary>
    Effective,

    /// <summary>Steps that were left out, or that a rollback took back.</summary>
    Discarded,

    /// <summary>Steps that had to be done again, after a restart or because replicas differed.</summary>
    Redone,

    /// <summary>Training held up by saves.</summary>
    Saving,

    /// <summary>Validation.</summary>
    Validation,

    /// <summary>From the first start to the first step.</summary>
    Starting,

    /// <summary>From a failure to the next step: noticing, starting again, loading.</summary>
    Restarting,

    /// <summary>Between a stop that was asked for and the resumption.</summary>
    Standing,

    /// <summary>Reports, traces.</summary>
    Other,
}

/// <summary>Seconds of a run by use since it was first started, through all restarts. They add up to the wall time.</summary>
public sealed record TimeAccount
{
    /// <summary>When the run was first started.</summary>
    public DateTimeOffset Since { get; init; }

    /// <inheritdoc cref="TimeUse.Effective"/>
    public double Effective { get; init; }

    /// <summary>Part of <see cref="Effective"/> in which rank 0 waited for other ranks.</summary>
    public double Waiting { get; init; }

    /// <inheritdoc cref="TimeUse.Discarded"/>
    public double Discarded { get; init; }

    /// <inheritdoc cref="TimeUse.Redone"/>
    public double Redone { get; init; }

    /// <inheritdoc cref="TimeUse.Saving"/>
    public double Saving { get; init; }

    /// <inheritdoc cref="TimeUse.Validation"/>
    public double Validation { get; init; }

    /// <inheritdoc cref="TimeUse.Starting"/>
    public double Starting { get; init; }

    /// <inheritdoc cref="TimeUse.Restarting"/>
    public double Restarting { get; init; }

    /// <inheritdoc cref="TimeUse.Standing"/>
    public double Standing { get; init; }

    /// <inheritdoc cref="TimeUse.Other"/>
    public double Other { get; init; }

    /// <summary>Sum of all uses.</summary>
    public double Total => Effective + Discarded + Redone + Saving + Validation + Starting + Restarting + Standing + Other;

    /// <summary>Share of the time in which the run was wanted that went into steps that count, 0 to 1.</summary>
    public double EffectiveShare => Total - Standing is > 0 and var wanted ? Effective / wanted : 0;

    /// <summary>The account with so many seconds more for a use.</summary>
    public TimeAccount With(TimeUse use, double seconds) =>
        use switch
        {
            TimeUse.Effective => this with { Effective = Effective + seconds },
            TimeUse.Discarded => this with { Discarded = Discarded + seconds },
            TimeUse.Redone => this with { Redone = Redone + seconds },
            TimeUse.Saving => this with { Saving = Saving + seconds },
            TimeUse.Validation => this with { Validation = Validation + seconds },
            TimeUse.Starting => this with { Starting = Starting + seconds },
            TimeUse.Restarting => this with { Restarting = Restarting + seconds },
            TimeUse.Standing => this with { Standing = Standing + seconds },
            TimeUse.Other => this with { Other = Other + seconds },
            _ => throw new ArgumentOutOfRangeException(nameof(use)),
        };

    /// <summary>
    /// The losses, the greatest first, in words: <c>saving 12 s, validation 3 s</c>. Those below a hundredth of a second are left out.
    /// </summary>
    public string Losses()
    {
        (string Name, double Seconds)[] losses =
        [
            ("starting", Starting),
            ("restarting", Restarting),
            ("saving", Saving),
            ("validation", Validation),
            ("discarded steps", Discarded),
            ("redone steps", Redone),
            ("other", Other),
        ];
        var told = losses
            .Where(loss => loss.Seconds >= 0.01)
            .OrderByDescending(loss => loss.Seconds)
            .Select(loss => string.Create(CultureInfo.InvariantCulture, $"{loss.Name} {loss.Seconds:0.##} s"))
            .ToList();
        return told.Count == 0 ? "nothing" : string.Join(", ", told);
    }
}
