using System.Globalization;
using Uniscale.Checkpoints.Saving;

namespace Uniscale.Training.Runtime;

/// <summary>A validation that the run was stopped in, to be done when it goes on.</summary>
/// <param name="Phase">Phase of the last step.</param>
/// <param name="EndsPhase">Whether that step was the phase's last, so that the result may stop the run.</param>
public sealed record PendingValidation(int Phase, bool EndsPhase)
{
    private const string Key = "validation.pending";

    internal IEnumerable<KeyValuePair<string, string>> ToExtra() =>
        [new(Key, string.Create(CultureInfo.InvariantCulture, $"{Phase} {EndsPhase}"))];

    internal static PendingValidation? Read(IReadOnlyDictionary<string, string> extra) =>
        extra.TryGetValue(Key, out string? text)
        && text.Split(' ') is [var phase, var ends]
        && int.TryParse(phase, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
        && bool.TryParse(ends, out bool isEnd)
            ? new PendingValidation(number, isEnd)
            : null;
}

/// <summary>Stops that are seen between the steps.</summary>
public sealed partial class RankRuntime
{
    /// <summary>Says whether this rank is asked to stop, for work between the steps that takes long; null: nobody asks.</summary>
    public Func<bool>? StopAsked { get; set; }

    /// <summary>Whether work between the steps was left because any rank was asked to stop; the same on every rank.</summary>
    public bool IsStopSeen { get; private set; }

    /// <summary>What the checkpoint says is still to be validated; null: nothing.</summary>
    public PendingValidation? PendingValidation { get; set; }

    /// <summary>What the checkpoint that was loaded says is to be validated.</summary>
    internal PendingValidation? LoadedPending { get; private set; }

    /// <summary>Whether any rank is asked to stop by now. Collective.</summary>
    private bool SeeStop()
    {
        if (IsStopSeen || StopAsked is null)
            return IsStopSeen;
        byte[] asked = [StopAsked() ? (byte)1 : (byte)0];
        return IsStopSeen = GroupExchange.AllGather(World.HostGroup, asked).Any(rank => rank[0] != 0);
    }
}
