using Uniscale.Corpus.Cleaning;

namespace Uniscale.Corpus.Tests.Cleaning;

public sealed class MinHashTests
{
    /// <summary>The mean error of many estimates is far below the standard error of one, 0.04: the hashes are not biased.</summary>
    [Theory]
    [InlineData(0.02)]
    [InlineData(0.05)]
    [InlineData(0.2)]
    public void Equal_places_estimate_the_similarity_of_the_sets(double edited)
    {
        var hash = new MinHash(128);
        double error = 0,
            square = 0;
        const int Pairs = 100;
        for (int seed = 0; seed < Pairs; seed++)
        {
            string text = CleaningFolder.Prose(seed, 300),
                other = CleaningFolder.Edited(text, edited, seed);
            double difference = MinHash.Similarity(Sign(hash, text), Sign(hash, other)) - Jaccard(text, other);
            error += difference / Pairs;
            square += difference * difference / Pairs;
        }
        Assert.InRange(error, -0.015, 0.015);
        Assert.InRange(Math.Sqrt(square), 0, 0.055);
    }

    private static uint[] Sign(MinHash hash, string text)
    {
        uint[] buffer = new uint[hash.BufferLength];
        hash.Sign(Split(text), 3, buffer);
        return buffer[..hash.Places];
    }

    private static double Jaccard(string left, string right)
    {
        HashSet<string> a = Shingles(left),
            b = Shingles(right);
        return a.Intersect(b).Count() / (double)a.Union(b).Count();
    }

    private static HashSet<string> Shingles(string text)
    {
        string[] words = text.ToLowerInvariant().Split([' ', '.', '\n'], StringSplitOptions.RemoveEmptyEntries);
        return [.. Enumerable.Range(0, words.Length - 2).Select(i => string.Join(' ', words[i..(i + 3)]))];
    }

    private static Word[] Split(string text)
    {
        var words = new List<Word>();
        Words.Split(text, words);
        return [.. words];
    }
}
