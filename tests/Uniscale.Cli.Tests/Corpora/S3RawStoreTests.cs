using System.Text;
using Uniscale.Checkpoints.Tests.Support;
using static Uniscale.Cli.Tests.CommandRun;

namespace Uniscale.Cli.Tests.Corpora;

/// <summary>Raw files in an object store on a local port.</summary>
public sealed class S3RawStoreTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly LocalObjectStore _objects = new();

    public S3RawStoreTests()
    {
        Environment.SetEnvironmentVariable("AWS_ACCESS_KEY_ID", "test");
        Environment.SetEnvironmentVariable("AWS_SECRET_ACCESS_KEY", "test");
        Environment.SetEnvironmentVariable("AWS_REGION", "us-east-1");
        foreach (string name in (string[])["crawl/a.txt", "crawl/deep/b.txt", "crawl/deep/c.html", "crawler/d.txt", "crawl/empty/"])
            _objects.Objects[$"/bucket/{name}"] = Encoding.UTF8.GetBytes(name.EndsWith('/') ? "" : $"The text of {name}.");
    }

    public void Dispose()
    {
        _objects.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("bucket", 4)]
    [InlineData("bucket/crawl", 3)]
    [InlineData("bucket/crawl/", 3)]
    [InlineData("bucket/crawl/*.txt", 2)]
    [InlineData("bucket/crawl/a.txt", 1)]
    public void A_place_names_its_objects(string place, int documents)
    {
        Assert.Contains($"web: {documents} documents", Import(place));
        Assert.Contains($"left out: {documents} imported before", Import(place));
    }

    [Fact]
    public void What_cannot_be_is_one_sentence()
    {
        Assert.Contains("bucket/nothing?", Refused("bucket/nothing"));
        Assert.Contains("names no objects: give a key, a prefix that ends at a /, or a pattern with *.", Refused("bucket/nothing"));
        _objects.Broken = true;
        string sentence = Refused("bucket/crawl");
        Assert.Contains("s3://bucket/crawl: cannot list (", sentence);
        Assert.Contains("the same command goes on behind it.", sentence);
    }

    private string Location(string place) => $"s3://{place}?endpoint={Uri.EscapeDataString(_objects.Endpoint)}";

    private string Import(string place) => Ok("data", "import", Location(place), "--domain", "web", "--out", _folder.In("store"));

    private string Refused(string place)
    {
        var (code, _, error) = Of("data", "import", Location(place), "--domain", "web", "--out", _folder.In("store"));
        Assert.Equal(2, code);
        return error;
    }
}
