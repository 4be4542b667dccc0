using Uniscale.Dashboard.Curves;
using Uniscale.Dashboard.Reading;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Tests.Curves;

public sealed class CurveCursorTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ASpikeOfOneStepIsSeenAmongAMillion()
    {
        float[] values = new float[1_000_000];
        values[654_321] = 99;
        values[123_456] = float.NaN;
        var chosen = new List<int>();
        Thinning.Choose(values, 0, Thinning.BucketSize(values.Length, 600), chosen);
        Assert.InRange(chosen.Count, 400, 1_802);
        Assert.Contains(654_321, chosen);
        Assert.Contains(123_456, chosen);
        Assert.Equal(chosen.Order(), chosen);
        Assert.Equal((0, 999_999), (chosen[0], chosen[^1]));
    }

    /// <summary>A viewer that has all parts holds what one that comes now is given.</summary>
    [Theory]
    [InlineData(1, null)]
    [InlineData(7, null)]
    [InlineData(1, 333)]
    public void PartsAddUpToTheWhole(int smooth, int? from)
    {
        string path = _folder.Write("run/metrics.jsonl", "");
        var follower = new MetricsFollower(new RunsFolder(_folder.FullPath), _folder.In("run"));
        var query = new CurveQuery(Smooth: smooth, From: from);
        var (cursor, steps, values, random) = (
            new CurveCursor(query, series => series[Measure.Loss]),
            new List<long>(),
            new List<float>(),
            new Random(3)
        );
        for (int step = 1; step <= 4_000;)
        {
            using (var writer = new StreamWriter(path, append: true))
                for (int end = step + random.Next(1, 400); step < end; step++)
                    writer.Write(Sample.Step(step, random.Next(20) == 0 ? "\"NaN\"" : null) + "\n");
            while (follower.ReadOn()) { }
            if (follower.Look(cursor.Next) is not { } part)
                continue;
            steps.RemoveRange(part.Keep, steps.Count - part.Keep);
            values.RemoveRange(part.Keep, values.Count - part.Keep);
            steps.AddRange(part.Steps);
            values.AddRange(part.Y);
            Assert.Null(follower.Look(cursor.Next));
        }
        var whole = follower.Look(new CurveCursor(query, series => series[Measure.Loss]).Next)!;
        // A point that was once the last of a full bucket may be there besides.
        Assert.Subset(steps.ToHashSet(), whole.Steps.ToHashSet());
        Assert.InRange(steps.Count, whole.Steps.Length, whole.Steps.Length + 20);
        var byStep = steps.Zip(values).ToDictionary(pair => pair.First, pair => pair.Second);
        foreach (var (step, value) in whole.Steps.Zip(whole.Y))
            Assert.Equal(value, byStep[step], 1e-5f);
    }

    [Fact]
    public void TheMeanLeavesOutWhatIsNotFinite() =>
        Assert.Equal([1f, 1f, 3f, 4f, 4.5f], Smoothing.Mean([1f, float.NaN, 3f, 5f, 4f], 0, 2));

    [Fact]
    public void TheMeanFromTheMiddleIsThatOfTheWhole()
    {
        var random = new Random(1);
        float[] values = [.. Enumerable.Range(0, 500).Select(_ => random.NextSingle())];
        float[] whole = Smoothing.Mean(values, 0, 37),
            part = Smoothing.Mean(values, 200, 37);
        Assert.Equal(300, part.Length);
        for (int i = 0; i < part.Length; i++)
            Assert.Equal(whole[200 + i], part[i], 1e-5f);
        for (int i = 36; i < 500; i++)
            Assert.Equal(values[(i - 36)..(i + 1)].Average(), whole[i], 1e-4f);
    }
}
