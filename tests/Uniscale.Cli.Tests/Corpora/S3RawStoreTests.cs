using System.Text;
using Uniscale.Checkpoints.Tests.Support;
using Uniscale.Corpus.Tests;
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
        Assert.EndsWith("names no objects: give a key, a prefix that ends at a /, or a pattern with *.", Refused("bucket/nothing").Trim());
        _objects.Broken = true;
        string sentence = Refused("bucket/crawl");
        Assert.Contains("s3://bucket/crawl: cannot list (", sentence);
        Assert.Contains("the same command goes on behind it.", sentence);
    }

    [Fact]
    public void A_look_and_chats_read_objects_too()
    {
        string look = Ok("data", "import", Location("bucket/crawl"), "--dry-run");
        Assert.Contains("s3://bucket/crawl/a.txt: text, 1 documents", look);
        Assert.Contains("  The text of crawl/a.txt.", look);
        _objects.Objects["/bucket/chats/a.jsonl"] = Encoding.UTF8.GetBytes(
            """{"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "I."}]}""" + "\n"
        );
        string tokenizer = TokenizerForms.Write(TokenizerForms.Of("gpt2"), _folder.In("."));
        string[] chat = ["data", "chat", Location("bucket/chats/"), "--format", "messages", "--template", "plain", "--tokenizer"];
        Assert.Contains("chat", Ok([.. chat, tokenizer, "--context", "64", "--out", _folder.In("chats")]));
        Assert.True(File.Exists(_folder.In("chats/chat.train.bin")));
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
