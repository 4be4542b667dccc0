namespace Uniscale.Data.Tests;

public sealed class FeistelPermutationTests
{
    [Fact]
    public void Every_small_size_is_permuted_without_gap_or_repeat()
    {
        for (int count = 1; count <= 600; count++)
            for (ulong key = 0; key < 3; key++)
            {
                var permutation = new FeistelPermutation(count, key);
                bool[] seen = new bool[count];
                for (int i = 0; i < count; i++)
                {
                    long image = permutation[i];
                    Assert.InRange(image, 0, count - 1);
                    Assert.False(seen[image], $"{count} elements, key {key}: {image} twice");
                    seen[image] = true;
                }
            }
    }

    [Theory]
    [InlineData(65_536)]
    [InlineData(65_537)]
    [InlineData(300_001)]
    public void Larger_sizes_too(int count)
    {
        var permutation = new FeistelPermutation(count, 42);
        Assert.Equal(count, Enumerable.Range(0, count).Select(i => permutation[i]).Distinct().Count());
    }

    [Fact]
    public void Nearly_all_of_two_to_the_62_is_in_range()
    {
        var permutation = new FeistelPermutation((1L << 62) - 3, 9);
        for (long i = 0; i < 1000; i++)
            Assert.InRange(permutation[i * 1_000_003], 0, (1L << 62) - 4);
    }

    [Fact]
    public void Keys_give_different_orders_that_look_random()
    {
        const int count = 10_000;
        var first = new FeistelPermutation(count, 1);
        var second = new FeistelPermutation(count, 2);
        int same = Enumerable.Range(0, count).Count(i => first[i] == second[i]);
        int fixedPoints = Enumerable.Range(0, count).Count(i => first[i] == i);
        int neighbours = Enumerable.Range(0, count - 1).Count(i => first[i + 1] == first[i] + 1);
        Assert.True(
            same < 10 && fixedPoints < 10 && neighbours < 10,
            $"{same} same, {fixedPoints} fixed, {neighbours} neighbours, of {count}; about one is expected"
        );
    }

    [Fact]
    public void Outside_is_refused() => Assert.Throws<ArgumentOutOfRangeException>(() => new FeistelPermutation(5, 0)[5]);
}
