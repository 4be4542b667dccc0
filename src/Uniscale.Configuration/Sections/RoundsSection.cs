using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration;

/// <summary>What the policy of a round begins with; its reference is the same.</summary>
public enum RoundStart
{
    /// <summary>The model of <c>start_from</c>: each round begins afresh with a better reward model, and the reference stays.</summary>
    First,

    /// <summary>The policy of the round before, which becomes the reference: what was learned stays, deceits too.</summary>
    Previous,
}

/// <summary>
/// Rounds of reward model and policy (conditional online RLHF, InternLM2 report, section 4.2.2): a reward model is trained, a policy
/// learns from it, its early and late answers show where the reward model was deceived, and the pairs of both correct the next one.
/// </summary>
public sealed record RoundsSection
{
    /// <summary>Number of rounds; 0: the file is one run.</summary>
    [Range(0, 1000)]
    public int Count { get; init; }

    /// <summary>
    /// Configuration of the reward model, trained anew in each round on all comparisons; the first round takes the one of
    /// <c>reward_model.from</c> where that is set.
    /// </summary>
    [FilePath]
    public string? Reward { get; init; }

    /// <summary>Files of comparisons as <c>data chat --format preference</c> reads them.</summary>
    public IReadOnlyList<string> Preferences { get; init; } = [];

    /// <summary>Share of the comparisons that a reward model does not learn from but is judged by.</summary>
    [Range(0, 1, MaximumExclusive = true)]
    public double Validation { get; init; } = 0.1;

    /// <summary>What the policy of a round begins with.</summary>
    public RoundStart Start { get; init; } = RoundStart.First;

    /// <summary>Step whose answers are those of the early policy; 0: a fifth of the run.</summary>
    [Range(0)]
    public long Early { get; init; }

    /// <summary>Ranks are processes under mpirun (<c>uniscale launch</c>), not threads of one.</summary>
    public bool Processes { get; init; }

    /// <summary>Times that a stage which failed goes on from its newest checkpoint before the rounds end.</summary>
    [Range(0)]
    public int Restarts { get; init; } = 1;

    /// <summary>Pairs of early and late answers where the reward model seems to be deceived.</summary>
    public FastPathSection Fast { get; init; } = new();

    /// <summary>Pairs of answers for people to label.</summary>
    public SlowPathSection Slow { get; init; } = new();

    /// <summary>Step of the early policy in a run.</summary>
    public long EarlyOf(RunConfiguration configuration)
    {
        long updates = configuration.Rollout.Updates;
        return Early > 0 ? Early : Math.Max(1, configuration.Train.Steps / 5 / updates) * updates;
    }
}

/// <summary>
/// How a deceit of the reward model is found and mended: in a domain the score has risen from the early to the late policy, and length,
/// repetition or another measure moved as well.
/// </summary>
public sealed record FastPathSection
{
    /// <summary>Pairs of each pattern and domain at most; the report has 20 to 100. 0: patterns are told, and no pairs made.</summary>
    [Range(0, 100_000)]
    public int Pairs { get; init; } = 100;

    /// <summary>A mean change counts where it is at least so many of its standard errors away from 0.</summary>
    [Range(0)]
    public double Deviations { get; init; } = 3;

    /// <summary>Patterns of the user's own: a name, and a regular expression that is found in answers.</summary>
    public IReadOnlyDictionary<string, string> Patterns { get; init; } = new Dictionary<string, string>();

    /// <summary>
    /// Rules as those of <c>rewards</c> that label a pair: the answer with the higher sum is the better one, equal ones are left out.
    /// Empty: the pairs wait for people.
    /// </summary>
    public IReadOnlyList<RewardRuleSection> Label { get; init; } = [];

    /// <summary>Times that each labelled pair stands among the comparisons of the next reward model.</summary>
    [Range(1, 1000)]
    public int Copies { get; init; } = 1;
}

/// <summary>Pairs of the first model, the early and the late policy, which people label.</summary>
public sealed record SlowPathSection
{
    /// <summary>Pairs that a round writes for people; 0: none.</summary>
    [Range(0, 1_000_000)]
    public int Pairs { get; init; }
}
