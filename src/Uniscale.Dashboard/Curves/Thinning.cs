using System.Numerics;

namespace Uniscale.Dashboard.Curves;

/// <summary>
/// Chooses the points of a long row that a chart needs: of every bucket of as many neighbours the least and the greatest, so that a spike
/// of one step is
/// seen among a million. Buckets have a power of two of points and begin at multiples of it, so that appending changes the last ones alone.
/// </summary>
public static class Thinning
{
    /// <summary>Points of a bucket, so that there are at most so many buckets.</summary>
    public static int BucketSize(int count, int buckets) =>
        count <= buckets ? 1 : (int)BitOperations.RoundUpToPowerOf2((uint)((count + buckets - 1) / buckets));

    /// <summary>
    /// Indices of the points to draw, ascending. A bucket that holds values that are not finite keeps the first of them as well: it is
    /// drawn as a gap.
    /// </summary>
    /// <param name="values">The row.</param>
    /// <param name="from">First index; the start of a bucket, or of the view.</param>
    /// <param name="size">Points of a bucket.</param>
    /// <param name="into">Receives the indices.</param>
    public static void Choose(ReadOnlySpan<float> values, int from, int size, List<int> into)
    {
        for (int start = from; start < values.Length;)
        {
            int end = Math.Min(values.Length, (start / size + 1) * size);
            ChooseOf(values[start..end], start, into);
            start = end;
        }
        if (values.Length > from && (into.Count == 0 || into[^1] != values.Length - 1))
            into.Add(values.Length - 1);
    }

    private static void ChooseOf(ReadOnlySpan<float> bucket, int offset, List<int> into)
    {
        if (bucket.Length == 1)
        {
            into.Add(offset);
            return;
        }
        int least = -1,
            greatest = -1,
            odd = -1;
        for (int i = 0; i < bucket.Length; i++)
        {
            if (!float.IsFinite(bucket[i]))
            {
                if (odd < 0)
                    odd = i;
                continue;
            }
            if (least < 0 || bucket[i] < bucket[least])
                least = i;
            if (greatest < 0 || bucket[i] > bucket[greatest])
                greatest = i;
        }
        Span<int> chosen = [least, greatest, odd];
        chosen.Sort();
        int before = -1;
        foreach (int i in chosen)
        {
            if (i >= 0 && i != before)
                into.Add(offset + i);
            before = i;
        }
    }
}
