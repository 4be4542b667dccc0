using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using SharpCompress.Writers.SevenZip;
using Uniscale.Corpus.Tests.Importing;

namespace Uniscale.Corpus.Tests.Reading.Archives;

public sealed class ArchiveTests : IDisposable
{
    private readonly ImportFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_is_in_a_tar_is_read_as_if_it_stood_alone()
    {
        byte[] tar = Tar(
            ("a/one.txt", "one"u8.ToArray()),
            ("a/page.html", "<p>two</p>"u8.ToArray()),
            ("b.jsonl.gz", ImportFolder.Gzip("{\"text\":\"three\"}\n{\"text\":\"four\"}\n"u8)),
            ("c.png", [1]),
            ("cut.txt.gz", ImportFolder.Gzip("lost"u8).AsSpan()[..^2].ToArray()),
            ("in.tar", Tar(("deep.txt", "five"u8.ToArray())))
        );
        foreach (
            (string name, byte[] bytes, string form) in (List<(string, byte[], string)>)
                [("a.tar", tar, "tar"), ("a.tgz", ImportFolder.Gzip(tar), "gzip tar"), ("unnamed", ImportFolder.Zstd(tar), "zstd tar")]
        )
        {
            (var report, var documents) = _folder.Read(_folder.Write(name, bytes));
            Assert.Equal(["one", "two", "three", "four", "five"], documents.Select(document => document.Text));
            Assert.Equal(
                [$"{name}/a/one.txt", $"{name}/b.jsonl.gz:2", $"{name}/in.tar/deep.txt"],
                ((int[])[0, 3, 4]).Select(i => documents[i].Source)
            );
            Assert.Equal(form, Assert.Single(report.Forms).Key);
            Assert.Equal(
                ["1 damaged, within an archive", "1 not text, by its name"],
                report.LeftOut.Select(entry => $"{entry.Value} {entry.Key}")
            );
            Assert.Contains("cut.txt.gz", Assert.Single(report.Damaged), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_tar_that_is_cut_is_left_out_even_between_its_entries()
    {
        byte[] tar = Tar(("one.txt", "one"u8.ToArray()), ("two.txt", "two"u8.ToArray()));
        _folder.AssertDamaged("within.tar", tar[..700], "");
        _folder.AssertDamaged("between.tar", tar[..1024], "cut");
    }

    [Fact]
    public void What_is_in_a_zip_is_read_and_checked()
    {
        byte[] zip = Zip(("one.txt", "one one one one one one"), ("dir/two.txt", "two"));
        Assert.Equal(
            ["one one one one one one", "two"],
            _folder.Read(_folder.Write("a.zip", zip)).Documents.Select(document => document.Text)
        );
        Assert.Equal("zip", Assert.Single(_folder.Read(_folder.Write("unnamed", zip)).Report.Forms).Key);
        _folder.AssertDamaged("cut.zip", zip[..^30], "");
        // The checksum in the directory: of the first entry in its header and at its end.
        byte[] damaged = [.. zip];
        for (int at = damaged.AsSpan().IndexOf("PK\x1\x2"u8) + 16, i = 0; i < 4; i++)
            damaged[at + i] ^= 0xFF;
        (var report, var documents) = _folder.Read(_folder.Write("damaged.zip", damaged));
        Assert.Equal("two", Assert.Single(documents).Text);
        Assert.Contains("one.txt (it is cut, or its checksum is wrong)", Assert.Single(report.Damaged), StringComparison.Ordinal);
        byte[] encrypted = [.. zip];
        encrypted[encrypted.AsSpan().IndexOf("PK\x1\x2"u8) + 8] |= 1;
        encrypted[6] |= 1;
        Assert.Contains(
            "one.txt (it is encrypted)",
            Assert.Single(_folder.Read(_folder.Write("encrypted.zip", encrypted)).Report.Damaged),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void What_is_in_a_7z_is_read_and_a_damaged_one_is_left_out()
    {
        var bytes = new MemoryStream();
        using (var writer = new SevenZipWriter(bytes, new SevenZipWriterOptions { LeaveStreamOpen = true }))
        {
            writer.Write("one.txt", new MemoryStream("one one one one one one"u8.ToArray()), null);
            writer.Write("dir/two.html", new MemoryStream("<p>two</p>"u8.ToArray()), null);
        }
        byte[] whole = bytes.ToArray();
        (var report, var documents) = _folder.Read(_folder.Write("a.7z", whole));
        Assert.Equal(["one one one one one one", "two"], documents.Select(document => document.Text));
        Assert.Equal("7z", Assert.Single(report.Forms).Key);
        _folder.AssertDamaged("cut.7z", whole[..^9], "");
        byte[] damaged = [.. whole];
        damaged[40] ^= 0xFF; // within the packed text
        Assert.NotEmpty(_folder.Read(_folder.Write("damaged.7z", damaged)).Report.Damaged);
    }

    [Fact]
    public void Archives_within_archives_have_an_end()
    {
        byte[] tar = Tar(("deep.txt", "deep"u8.ToArray()));
        for (int i = 0; i < 8; i++)
            tar = Tar(($"{i}.tar", tar));
        Assert.Contains(
            "archives within archives",
            Assert.Single(_folder.Read(_folder.Write("a.tar", tar)).Report.Damaged),
            StringComparison.Ordinal
        );
    }

    internal static byte[] Tar(params (string Name, byte[] Bytes)[] files)
    {
        var tar = new MemoryStream();
        using (var writer = new TarWriter(tar, TarEntryFormat.Ustar, leaveOpen: true))
            foreach ((string name, byte[] bytes) in files)
                writer.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(bytes) });
        return tar.ToArray();
    }

    private static byte[] Zip(params (string Name, string Text)[] files)
    {
        var zip = new MemoryStream();
        using (var archive = new ZipArchive(zip, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach ((string name, string text) in files)
            {
                using var entry = archive.CreateEntry(name).Open();
                entry.Write(Encoding.UTF8.GetBytes(text));
            }
        }
        return zip.ToArray();
    }
}
