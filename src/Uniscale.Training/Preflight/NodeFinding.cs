using System.Globalization;
using Uniscale.Configuration;

namespace Uniscale.Training.Preflight;

/// <summary>A node that the preflight finds at fault.</summary>
/// <param name="Host">The node.</param>
/// <param name="Rank">The rank that has shown it.</param>
/// <param name="IsWrong">It computes or transports wrongly; else it is slow.</param>
/// <param name="Sentence">What it does, in words.</param>
public sealed record NodeFinding(string Host, int Rank, bool IsWrong, string Sentence)
{
    /// <summary>
    /// Judges the ranks of a job by each other. A rate is held against the upper median of all ranks: of two that differ the faster is
    /// right, and half of the nodes may be
    /// slow before a good one is blamed.
    /// </summary>
    /// <param name="ranks">Figures of all ranks.</param>
    /// <param name="section">What counts as slow.</param>
    /// <returns>At most one a node: what is wrong before what is slow, and what is slower first.</returns>
    public static IReadOnlyList<NodeFinding> Of(IReadOnlyList<NodeFigures> ranks, PreflightSection section)
    {
        var findings = ranks
            .Where(rank => rank.Wrong.Length > 0)
            .Select(rank =>
                (Share: 0.0, Finding: new NodeFinding(rank.Host, rank.Rank, true, $"{rank.Host}: rank {rank.Rank} {rank.Wrong}"))
            )
            .ToList();
        AddSlow(ranks, rank => rank.Gemm, section.SlowGemm, rank => $"rank {rank.Rank} multiplies at {Rate(rank.Gemm, "FLOP/s")}");
        AddSlow(ranks, rank => rank.Memory, section.SlowTransfer, rank => $"rank {rank.Rank} copies memory at {Rate(rank.Memory, "B/s")}");
        // With two hosts there is one link, and nothing to hold it against.
        NodeFigures[] linked = [.. ranks.Where(rank => rank.Link > 0)];
        if (linked.Length > 2)
            AddSlow(linked, rank => rank.Link, section.SlowTransfer, rank => $"its best link carries {Rate(rank.Link, "B/s")}");
        return [.. findings.OrderBy(found => found.Share).Select(found => found.Finding).DistinctBy(found => found.Host)];

        void AddSlow(IReadOnlyList<NodeFigures> compared, Func<NodeFigures, double> figure, double least, Func<NodeFigures, string> say)
        {
            double median = compared.Select(figure).Order().ElementAt(compared.Count / 2);
            foreach (var rank in compared)
            {
                double share = figure(rank) / median;
                if (share < least)
                    findings.Add(
                        (
                            share,
                            new NodeFinding(
                                rank.Host,
                                rank.Rank,
                                false,
                                string.Create(
                                    CultureInfo.InvariantCulture,
                                    $"{rank.Host}: {say(rank)}, {share:P0} of the median of {compared.Count}"
                                )
                            )
                        )
                    );
            }
        }
    }

    /// <summary>A rate for people, with three digits.</summary>
    public static string Rate(double value, string unit)
    {
        string[] prefixes = ["", "k", "M", "G", "T", "P"];
        int prefix = 0;
        for (; value >= 1000 && prefix < prefixes.Length - 1; value /= 1000)
            prefix++;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{value.ToString(value < 10 ? "0.00" : value < 100 ? "0.0" : "0", CultureInfo.InvariantCulture)} {prefixes[prefix]}{unit}"
        );
    }
}
