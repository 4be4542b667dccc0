namespace Uniscale.Checkpoints.Saving;

/// <summary>What the messages of checkpoints are about.</summary>
internal enum Subject
{
    /// <summary>To the rank above: the ranks below are durable, or not.</summary>
    Arrival = 1,

    /// <summary>To the ranks below: how a save ended.</summary>
    Verdict,

    /// <summary>To the hosts below: files that are to be copied to a tier.</summary>
    TierOrder,

    /// <summary>To the host above: they are copied, or not.</summary>
    TierReport,
}
