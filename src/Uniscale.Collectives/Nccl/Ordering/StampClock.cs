namespace Uniscale.Collectives.Nccl.Ordering;

/// <summary>Lamport's clock: stamps grow along every chain of causes, and no two ranks give the same.</summary>
internal sealed class StampClock(int worldRank)
{
    private const int RankBits = 24;

    private long _time;

    /// <summary>A stamp above all that this rank has seen.</summary>
    public long Next() => ++_time << RankBits | (long)worldRank;

    /// <summary>Takes note of another rank's stamp.</summary>
    public void Observe(long stamp) => _time = Math.Max(_time, stamp >> RankBits);
}
