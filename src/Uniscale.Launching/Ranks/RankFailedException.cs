using Uniscale.Configuration;

namespace Uniscale.Launching.Ranks;

/// <summary>A rank failed, the first of the job to do so.</summary>
public sealed class RankFailedException : Exception
{
    public RankFailedException(int rank, Exception failure)
        : base($"rank {rank} failed first: {FailureSentence.Of(failure)}", failure) => Rank = rank;

    public RankFailedException(string message) : base(message) { }

    public RankFailedException(string message, Exception inner) : base(message, inner) { }

    public RankFailedException() { }

    /// <summary>The rank.</summary>
    public int Rank { get; }
}
