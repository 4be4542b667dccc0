using System.Globalization;
using Uniscale.Checkpoints.Saving;

namespace Uniscale.Training.Runtime;

/// <summary>A judgement of the weights that the run was stopped in, to be done when it goes on.</summary>
/// <param name="Phase">Phase of the last step.</param>
/// <param name="EndsPhase">Whether that step was the phase's last, so that the result may stop the run.</param>
public sealed record PendingJudgement(int Phase, bool EndsPhase)
{
    internal IEnumerable<KeyValuePair<string, string>> ToExtra(string key) =>
        [new(key, string.Create(CultureInfo.InvariantCulture, $"{Phase} {EndsPhase}"))];

    internal static PendingJudgement? Read(IReadOnlyDictionary<string, string> extra, string key) =>
        extra.TryGetValue(key, out string? text)
        && text.Split(' ') is [var phase, var ends]
        && int.TryParse(phase, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
        && bool.TryParse(ends, out bool isEnd)
            ? new PendingJudgement(number, isEnd)
            : null;
}

/// <summary>Stops that are seen between the steps.</summary>
public sealed partial class RankRuntime
{
    /// <summary>Says whether this rank is asked to stop, for work between the steps that takes long; null: nobody asks.</summary>
    public Func<bool>? StopAsked { get; set; }

    /// <summary>Whether work between the steps was left because any rank was asked to stop; the same on every rank.</summary>
    public bool IsStopSeen { get; private set; }

    private const string ValidationKey = "validation.pending",
        TasksKey = "evaluation.pending";

    private (PendingJudgement? Validation, PendingJudgement? Tasks) _loadedPending;

    /// <summary>A validation that is still to be done; null: none.</summary>
    public PendingJudgement? PendingValidation { get; set; }

    /// <summary>Tasks that are still to be asked; null: none.</summary>
    public PendingJudgement? PendingTasks { get; set; }

    /// <summary>Whether what is still to be judged is what the checkpoint that was loaded says.</summary>
    internal bool IsPendingAsLoaded => (PendingValidation, PendingTasks) == _loadedPending;

    private IEnumerable<KeyValuePair<string, string>> PendingToExtra() =>
        [.. PendingValidation?.ToExtra(ValidationKey) ?? [], .. PendingTasks?.ToExtra(TasksKey) ?? []];

    private void RestorePending(IReadOnlyDictionary<string, string> extra) =>
        (PendingValidation, PendingTasks) = _loadedPending = (
            PendingJudgement.Read(extra, ValidationKey),
            PendingJudgement.Read(extra, TasksKey)
        );

    /// <summary>Whether any rank is asked to stop by now. Collective.</summary>
    internal bool SeeStop()
    {
        if (IsStopSeen || StopAsked is null)
            return IsStopSeen;
        byte[] asked = [StopAsked() ? (byte)1 : (byte)0];
        return IsStopSeen = GroupExchange.AllGather(World.HostGroup, asked).Any(rank => rank[0] != 0);
    }
}
