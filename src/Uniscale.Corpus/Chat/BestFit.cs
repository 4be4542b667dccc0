namespace Uniscale.Corpus.Chat;

/// <summary>
/// Best-fit decreasing (Johnson, 1973): the longest first, each into the fullest bin that still has room. Never more than 11/9 of the
/// fewest bins, plus one.
/// </summary>
public static class BestFit
{
    /// <summary>Deals items to bins.</summary>
    /// <param name="lengths">Length of each item, at least 1 and at most <paramref name="capacity"/>.</param>
    /// <param name="capacity">What a bin holds.</param>
    /// <returns>Items of each bin in rising order, bins in the order of their first item; the same for the same lengths.</returns>
    public static IReadOnlyList<IReadOnlyList<int>> Pack(IReadOnlyList<int> lengths, int capacity)
    {
        int[] order = [.. Enumerable.Range(0, lengths.Count).OrderByDescending(item => lengths[item]).ThenBy(item => item)];
        var bins = new List<List<int>>();
        var rooms = new SortedSet<(int Room, int Bin)>();
        foreach (int item in order)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(lengths[item], capacity);
            // Of an empty view the least is (0, 0), whose room nothing fits into.
            var (room, bin) = rooms.GetViewBetween((lengths[item], 0), (capacity, int.MaxValue)).Min;
            if (room < lengths[item])
            {
                (room, bin) = (capacity, bins.Count);
                bins.Add([]);
            }
            else
            {
                rooms.Remove((room, bin));
            }
            bins[bin].Add(item);
            rooms.Add((room - lengths[item], bin));
        }
        foreach (var bin in bins)
            bin.Sort();
        return [.. bins.OrderBy(bin => bin[0])];
    }
}
