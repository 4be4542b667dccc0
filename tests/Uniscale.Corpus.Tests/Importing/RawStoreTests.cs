using System.Text;

namespace Uniscale.Corpus.Tests.Importing;

/// <summary>Raw files that are not on this machine's disk.</summary>
public sealed class RawStoreTests : IDisposable
{
    private readonly ImportFolder _folder = new();
    private readonly Elsewhere _elsewhere = new()
    {
        ["a.jsonl.gz"] = ImportFolder.Gzip("{\"text\": \"one\"}\n{\"text\": \"two\"}\n"u8),
        ["b.txt"] = "three"u8.ToArray(),
        ["c.jsonl.gz"] = ImportFolder.Gzip("{\"text\": \"four\"}\n"u8, ends: false),
    };

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TheyBecomeDocumentsAsIfTheyLayHere()
    {
        var report = Import();
        Assert.Equal(["one", "two", "three"], _folder.Texts());
        Assert.Equal("s3://bucket/c.jsonl.gz", Assert.Single(report.Damaged).Split(' ')[0].TrimEnd(':'));
        Assert.False(Directory.Exists(_folder.PathOf("store/web/.work")));
    }

    [Fact]
    public void WhatIsThereIsNotFetchedAgain()
    {
        Import();
        int fetched = _elsewhere.Fetched.Count;
        _elsewhere["d.txt"] = "five"u8.ToArray();
        Import();
        // The damaged file is tried again.
        Assert.Equal(["c.jsonl.gz", "d.txt"], _elsewhere.Fetched.Skip(fetched).Distinct().Order());
        Assert.Equal(["one", "two", "three", "five"], _folder.Texts());
    }

    [Fact]
    public void AStoreThatFailsDamagesNoFile()
    {
        _elsewhere.FailsAt = "b.txt";
        Assert.Equal("the store is away", Assert.Throws<RawStoreException>(() => Import()).Message);
        _elsewhere.FailsAt = null;
        Import();
        Assert.Equal(["one", "two", "three"], _folder.Texts());
    }

    [Fact]
    public void ALookLeavesNothing()
    {
        var looked = new Importer("", "", new ImportOptions { Stores = [_elsewhere] }).Look([], mostDocuments: 10).ToList();
        Assert.Equal(
            [("s3://bucket/a.jsonl.gz", 2), ("s3://bucket/b.txt", 1), ("s3://bucket/c.jsonl.gz", 0)],
            looked.Select(file => (file.Path, (int)file.Documents))
        );
        Assert.NotNull(looked[2].Damage);
        Assert.Empty(_elsewhere.Fetched);
    }

    [Fact]
    public void ALookReadsNoMoreThanItNeeds()
    {
        string line = $"{{\"text\": \"{new string('x', 200)}\"}}\n";
        _elsewhere.Clear();
        _elsewhere["large.jsonl"] = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(line, 20_000)));
        var looked = Assert.Single(new Importer("", "", new ImportOptions { Stores = [_elsewhere] }).Look([], mostDocuments: 100));
        Assert.Equal((100, false), ((int)looked.Documents, looked.IsWhole));
        Assert.InRange(_elsewhere.Read, line.Length * 100, 1 << 18);
        _elsewhere.FailsAt = "large.jsonl";
        Assert.Equal(
            "s3://bucket/large.jsonl broke off at byte 4096 (the line is down)",
            Assert
                .Throws<RawStoreException>(() => new Importer("", "", new ImportOptions { Stores = [_elsewhere] }).Look([], 100).ToList())
                .Message
        );
    }

    private ImportReport Import() => _folder.Import([], options: new ImportOptions { Stores = [_elsewhere], Workers = 2 });

    private sealed class Elsewhere : Dictionary<string, byte[]>, IRawStore
    {
        public string? FailsAt { get; set; }

        public List<string> Fetched { get; } = [];

        public IReadOnlyList<StoredRawFile> List() =>
            [
                .. this.Select(file => new StoredRawFile(
                    $"s3://bucket/{file.Key}",
                    file.Key,
                    file.Value.Length,
                    Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(file.Value))
                )),
            ];

        public void Get(StoredRawFile file, string path)
        {
            if (file.Name == FailsAt)
                throw new RawStoreException("the store is away");
            lock (Fetched)
                Fetched.Add(file.Name);
            File.WriteAllBytes(path, this[file.Name]);
        }

        public long Read { get; private set; }

        public Stream Open(StoredRawFile file) => new Counted(this[file.Name], this, FailsAt == file.Name ? 4096 : int.MaxValue);

        private sealed class Counted(byte[] bytes, Elsewhere store, int end) : MemoryStream(bytes)
        {
            public override int Read(Span<byte> buffer)
            {
                if (Position >= end)
                    throw new IOException("the line is down.");
                int read = base.Read(buffer[..Math.Min(buffer.Length, 4096)]);
                store.Read += read;
                return read;
            }
        }
    }
}
