using System.Formats.Tar;
using System.IO.Hashing;
using SharpCompress.Archives;
using Uniscale.Corpus.Reading.Decompression;

namespace Uniscale.Corpus.Reading.Archives;

/// <summary>
/// tar, zip and 7z: each file within is read as if it stood alone. Entries that are encrypted, links or folders are left out.
/// </summary>
internal sealed class ArchiveReader(string form) : IFormReader
{
    private const int TarBlock = 512;

    public string Form => form;

    /// <summary>True for the header of a tar, by its magic or, in old ones, its checksum.</summary>
    public static bool IsTar(ReadOnlySpan<byte> head)
    {
        if (head.Length < TarBlock || head[0] == 0)
            return false;
        if (head.Slice(257, 5).SequenceEqual("ustar"u8))
            return true;
        int sum = 8 * ' ',
            stated = 0;
        for (int i = 0; i < TarBlock; i++)
            sum += i is >= 148 and < 156 ? 0 : head[i];
        foreach (byte digit in head.Slice(148, 8).Trim(" \0"u8))
        {
            if (digit is < (byte)'0' or > (byte)'7')
                return false;
            stated = (stated * 8) + digit - '0';
        }
        return stated == sum && sum > 8 * ' ';
    }

    public static bool IsZip(ReadOnlySpan<byte> head) => head.StartsWith("PK\x3\x4"u8) || head.StartsWith("PK\x5\x6"u8);

    public static bool IsSevenZip(ReadOnlySpan<byte> head) =>
        head.StartsWith((ReadOnlySpan<byte>)[(byte)'7', (byte)'z', 0xBC, 0xAF, 0x27, 0x1C]);

    public IEnumerable<RawDocument> Read(RawInput input, ReadingContext context) =>
        form == "tar" ? ReadTar(input, context) : ReadOther(input, context);

    private static IEnumerable<RawDocument> ReadTar(RawInput input, ReadingContext context)
    {
        var blocks = new TarBlocks(input.Stream);
        using var tar = new TarReader(blocks, leaveOpen: true);
        while (tar.GetNextEntry() is { } entry)
        {
            if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile))
            {
                if (entry.EntryType is TarEntryType.SymbolicLink or TarEntryType.HardLink)
                    yield return RawDocument.Left($"/{entry.Name}", "symbolic link");
                continue;
            }
            var data = entry.DataStream ?? Stream.Null;
            foreach (
                var document in EntryReader.Read(() => RawInput.Of(data, $"{input.Path}/{entry.Name}", entry.Name), entry.Name, context)
            )
                yield return document;
        }
        blocks.CheckEnd();
    }

    private IEnumerable<RawDocument> ReadOther(RawInput input, ReadingContext context)
    {
        using Stream file = input.File is { } path ? File.OpenRead(path) : Copy(input.Stream, context);
        using var archive = ArchiveFactory.OpenArchive(file, new SharpCompress.Readers.ReaderOptions { LeaveStreamOpen = true });
        foreach (var entry in archive.Entries)
        {
            string name = entry.Key ?? "";
            if (entry.IsDirectory || name.Length == 0)
                continue;
            if (entry.IsEncrypted)
            {
                context.Damaged.Add($"{name} (it is encrypted)");
                yield return RawDocument.Left($"/{name}", "encrypted");
                continue;
            }
            long? crc = form == "zip" || entry.Crc != 0 ? entry.Crc : null;
            foreach (
                var document in EntryReader.Read(
                    () => RawInput.Of(new CheckedStream(entry.OpenEntryStream(), crc, entry.Size), $"{input.Path}/{name}", name),
                    name,
                    context
                )
            )
                yield return document;
        }
    }

    /// <summary>These archives are read from their end: one that is compressed or within another is put on the disk first.</summary>
    private static FileStream Copy(PeekStream stream, ReadingContext context)
    {
        Directory.CreateDirectory(context.WorkFolder);
        var copy = new FileStream(
            Path.Combine(context.WorkFolder, Path.GetRandomFileName()),
            FileMode.CreateNew,
            FileAccess.ReadWrite,
            FileShare.None,
            1 << 16,
            FileOptions.DeleteOnClose
        );
        stream.CopyTo(copy);
        copy.Position = 0;
        return copy;
    }

    /// <summary>Compares length and CRC-32 of what came out with what the archive says; its library does not.</summary>
    private sealed class CheckedStream(Stream inner, long? crc, long size) : ReadOnlyStream
    {
        private readonly Crc32 _crc = new();
        private long _read;

        public override int Read(Span<byte> buffer)
        {
            int read = inner.Read(buffer);
            _crc.Append(buffer[..read]);
            _read += read;
            if (read == 0 && !buffer.IsEmpty && (_read != size || (crc is { } stated && _crc.GetCurrentHashAsUInt32() != (uint)stated)))
                throw new InvalidDataException("it is cut, or its checksum is wrong");
            return read;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
