namespace Uniscale.Training.Preflight;

/// <summary>What the preflight has measured on one rank.</summary>
/// <param name="Rank">The rank.</param>
/// <param name="Host">Where it runs.</param>
/// <param name="Gemm">FLOP/s of its fastest GEMM.</param>
/// <param name="Memory">Bytes a second that it reads and writes in its fastest copy.</param>
/// <param name="Link">Bytes a second between its host and the other host that it reaches best, each way; 0: the rank has measured
/// none.</param>
/// <param name="Wrong">What has come out wrong, in words; empty: nothing.</param>
public sealed record NodeFigures(int Rank, string Host, double Gemm, double Memory, double Link, string Wrong)
{
    /// <summary>The better of two measurements of one rank; what was wrong once stays wrong.</summary>
    public NodeFigures Better(NodeFigures other) =>
        this with
        {
            Gemm = Math.Max(Gemm, other.Gemm),
            Memory = Math.Max(Memory, other.Memory),
            Link = Math.Max(Link, other.Link),
            Wrong = Wrong.Length > 0 ? Wrong : other.Wrong,
        };
}
