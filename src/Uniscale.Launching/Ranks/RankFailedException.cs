using Uniscale.Configuration;

namespace Uniscale.Launching.Ranks;

/// <summary>A rank failed, the first of the job to do so.</summary>
public sealed class RankFailedException : Exception
{
    /// <inheritdoc/>
    public RankFailedException(int rank, Exception failure)
        : base($"rank {rank} failed first: {FailureSentence.Of(failure)}", failure) => Rank = rank;

    /// <inheritdoc/>
    public RankFailedException(string message)
        : base(message) { }

    /// <inheritdoc/>
    public RankFailedException(string message, Exception inner)
        : base(message, inner) { }

    /// <inheritdoc/>
    public RankFailedException() { }

    /// <summary>The rank.</summary>
    public int Rank { get; }
}
