using System.Globalization;
using Uniscale.Checkpoints.Saving;

namespace Uniscale.Checkpoints.Tiers;

/// <summary>
/// Which host carries which of a checkpoint's files to and from a tier: those that it wrote, and its share of the others.
/// </summary>
internal static class TierShare
{
    /// <summary>Files that a host carries at the same time.</summary>
    private const int Streams = 4;

    /// <summary>This host's files.</summary>
    /// <param name="files">All data files, in the order of the manifest.</param>
    /// <param name="places">Who shares a host.</param>
    public static IReadOnlyList<string> Of(IReadOnlyList<string> files, NodePlaces places) =>
        [.. files.Index().Where(file => HostOf(file.Item, file.Index, places) == places.Node).Select(file => file.Item)];

    /// <summary>Does something for each of some files, several at a time; the first failure is thrown.</summary>
    public static void ForEach(IReadOnlyList<string> files, Action<string> body)
    {
        try
        {
            Parallel.ForEach(files, new ParallelOptions { MaxDegreeOfParallelism = Streams }, body);
        }
        catch (AggregateException failures)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failures.InnerExceptions[0]);
        }
    }

    // The checkpoint may be of another number of ranks or hosts.
    private static int HostOf(string file, int index, NodePlaces places) =>
        NumberIn(file, "rank-") is { } rank && rank < places.Ranks ? places.NodeOf(rank)
        : NumberIn(file, "node-") is { } node && node < places.Nodes ? node
        : index % places.Nodes;

    private static int? NumberIn(string file, string prefix) =>
        file.StartsWith(prefix, StringComparison.Ordinal)
        && int.TryParse(file[prefix.Length..].Split('.')[0], NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? number
            : null;
}
