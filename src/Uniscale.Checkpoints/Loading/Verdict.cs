using System.Text;
using Uniscale.Checkpoints.Saving;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Loading;

/// <summary>How a rank's part of a load went, the worst last.</summary>
internal enum VerdictKind
{
    Good,

    /// <summary>What lies on disk is not what was written: an older checkpoint may do.</summary>
    Damaged,

    /// <summary>It could not be read for another reason.</summary>
    Error,

    /// <summary>It is of another model.</summary>
    Mismatch,
}

/// <summary>How a rank's part of a load went, and the sentence where it went wrong.</summary>
internal readonly record struct Verdict(VerdictKind Kind, string Sentence)
{
    public static Verdict Good { get; } = new(VerdictKind.Good, "");

    public static Verdict Of(CheckpointException failure) =>
        new(
            failure switch
            {
                CheckpointDamagedException => VerdictKind.Damaged,
                CheckpointMismatchException => VerdictKind.Mismatch,
                _ => VerdictKind.Error,
            },
            failure.Message
        );

    /// <summary>What a rank throws for it.</summary>
    /// <param name="configuration">The configuration that the checkpoint was saved with, where it is known.</param>
    public CheckpointException ToException(string? configuration = null) =>
        Kind switch
        {
            VerdictKind.Damaged => new CheckpointDamagedException(Sentence),
            VerdictKind.Mismatch => new CheckpointMismatchException(Sentence) { ConfigurationYaml = configuration },
            _ => new CheckpointException(Sentence),
        };

    /// <summary>
    /// The worst verdict of all ranks, with the sentence of the first that has it. Collective; where all is good a number is all that is
    /// exchanged.
    /// </summary>
    public Verdict WorstOf(IProcessGroup group)
    {
        var worst = (VerdictKind)GroupExchange.Max(group, (int)Kind);
        if (worst == VerdictKind.Good)
            return Good;
        string mine = Kind == worst ? Sentence : "";
        return new(
            worst,
            GroupExchange
                .AllGather(group, Encoding.UTF8.GetBytes(mine))
                .Select(Encoding.UTF8.GetString)
                .First(sentence => sentence.Length > 0)
        );
    }
}
