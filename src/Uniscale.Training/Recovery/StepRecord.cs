using System.Globalization;
using Uniscale.Data;

namespace Uniscale.Training.Recovery;

/// <summary>What went wrong in a run so far, kept in its checkpoints: how often what, and which data is not in the weights.</summary>
public sealed class StepRecord
{
    private const string CountPrefix = "bad_steps.count.",
        RollbackKey = "bad_steps.rollbacks",
        InARowKey = "bad_steps.in_a_row",
        GoodSinceKey = "bad_steps.good_since",
        ForgivenKey = "bad_steps.forgiven_after";

    private readonly Dictionary<StepVerdict, long> _counts = [];
    private List<DiscardedSpan> _discarded = [];
    private long _goodSince;
    private long _forgivenAfter = 1;

    /// <summary>Steps by what was wrong with them; those that a rollback took back count too.</summary>
    public IReadOnlyDictionary<StepVerdict, long> Counts => _counts;

    /// <summary>Rollbacks.</summary>
    public long Rollbacks { get; private set; }

    /// <summary>Data that is not in the weights.</summary>
    public IReadOnlyList<DiscardedSpan> Discarded => _discarded;

    /// <summary>Steps whose data is not in the weights.</summary>
    public long DiscardedSteps => _discarded.Sum(span => span.ToStep - span.FromStep);

    /// <summary>Bad steps with hardly a good one between them.</summary>
    public int InARow { get; private set; }

    /// <summary>Counts a good step.</summary>
    public void AddGood()
    {
        if (++_goodSince >= _forgivenAfter)
            InARow = 0;
    }

    /// <summary>Counts a bad step.</summary>
    /// <param name="verdict">What was wrong.</param>
    /// <param name="forgivenAfter">Good steps after which the next bad one counts as the first in a row; 0: it does not count as one
    /// itself.</param>
    public void AddBad(StepVerdict verdict, long forgivenAfter)
    {
        _counts[verdict] = _counts.GetValueOrDefault(verdict) + 1;
        if (forgivenAfter == 0)
            return;
        InARow++;
        (_goodSince, _forgivenAfter) = (0, forgivenAfter);
    }

    /// <summary>Begins a new row: the run stopped because of the last one, and whoever continues it has seen to that.</summary>
    public void Forgive() => InARow = 0;

    /// <summary>Enters data that is not in the weights; spans that it covers are part of it.</summary>
    public void Discard(DiscardedSpan span)
    {
        _discarded.RemoveAll(other => other.FromTokens >= span.FromTokens);
        _discarded.Add(span);
    }

    /// <summary>Counts a rollback.</summary>
    public void AddRollback() => Rollbacks++;

    /// <summary>Whether the state after so many steps was taken back.</summary>
    public bool IsTakenBack(long step) => _discarded.Exists(span => span.FromStep < step && step < span.ToStep);

    /// <summary>What a checkpoint keeps.</summary>
    public IEnumerable<KeyValuePair<string, string>> ToExtra() =>
        [
            new(DiscardedSpan.CheckpointKey, DiscardedSpan.Write(_discarded)),
            new(RollbackKey, Text(Rollbacks)),
            new(InARowKey, Text(InARow)),
            new(GoodSinceKey, Text(_goodSince)),
            new(ForgivenKey, Text(_forgivenAfter)),
            .. _counts.Select(count => KeyValuePair.Create(CountPrefix + count.Key.Word(), Text(count.Value))),
        ];

    /// <summary>Takes all from a checkpoint.</summary>
    public void Restore(IReadOnlyDictionary<string, string> extra)
    {
        RestoreDiscarded(extra);
        _counts.Clear();
        foreach (var verdict in StepVerdicts.Bad)
            if (Number(CountPrefix + verdict.Word()) is > 0 and var count)
                _counts[verdict] = count;
        (Rollbacks, InARow) = (Number(RollbackKey), (int)Number(InARowKey));
        (_goodSince, _forgivenAfter) = (Number(GoodSinceKey), Number(ForgivenKey));

        long Number(string key) => extra.TryGetValue(key, out string? text) ? long.Parse(text, CultureInfo.InvariantCulture) : 0;
    }

    /// <summary>Takes only the discarded data from a checkpoint: a rollback does not make undone what is counted.</summary>
    public void RestoreDiscarded(IReadOnlyDictionary<string, string> extra) => _discarded = [.. DiscardedSpan.Read(extra)];

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
