using SharpCompress.Compressors.BZip2;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace Uniscale.Corpus.Reading.Decompression;

/// <summary>
/// Takes compressions off: gzip, Zstandard, bzip2, xz, LZ4, one within the other too. What a stream is, its first bytes tell.
/// </summary>
internal static class Decompressor
{
    private const int MostLayers = 3;
    private const int MagicBytes = 16;

    /// <summary>Frames may look back over 2 GiB (zstd --long=31); a decompressor then holds as much.</summary>
    private const int LargestZstdWindow = 31;

    private sealed record Compression(string Name, string[] Extensions, Func<ReadOnlySpan<byte>, bool> Is, Func<PeekStream, Stream> Open);

    private static readonly Compression[] All =
    [
        new("gzip", [".gz", ".gzip", ".dz", ".tgz"], GzipStream.IsMagic, input => new GzipStream(input)),
        new("zstd", [".zst", ".zstd", ".tzst"], IsZstd, OpenZstd),
        new(
            "bzip2",
            [".bz2", ".tbz2", ".tbz"],
            IsBzip2,
            input => BZip2Stream.Create(input, SharpCompress.Compressors.CompressionMode.Decompress, decompressConcatenated: true)
        ),
        new("xz", [".xz", ".txz"], head => head.StartsWith(XzStreams.Magic), input => new XzStreams(input)),
        new("lz4", [".lz4"], head => head.StartsWith(Lz4Frames.Magic), input => new Lz4Frames(input)),
    ];

    /// <summary>The name without the extension of a compression, "a.tgz" as "a.tar".</summary>
    public static string PlainName(string name)
    {
        string extension = Path.GetExtension(name).ToLowerInvariant();
        return All.Any(compression => compression.Extensions.Contains(extension))
            ? name[..^extension.Length] + (extension.StartsWith(".t", StringComparison.Ordinal) ? ".tar" : "")
            : name;
    }

    /// <summary>The bytes within.</summary>
    /// <param name="input">The bytes as they lie there.</param>
    /// <param name="name">Loses the extension of each compression.</param>
    /// <param name="taken">Receives what was taken off.</param>
    /// <param name="allowsText">What its name calls compressed and is text was decompressed on its way, and is taken.</param>
    /// <exception cref="InvalidDataException">The name says that it is compressed, and it is not.</exception>
    public static PeekStream Decompress(PeekStream input, ref string name, ICollection<string> taken, bool allowsText)
    {
        while (true)
        {
            string extension = Path.GetExtension(name).ToLowerInvariant();
            var found = Array.Find(All, compression => compression.Is(input.Peek(MagicBytes).Span));
            var named = Array.Find(All, compression => compression.Extensions.Contains(extension));
            if (found is null)
            {
                if (named is not null)
                    CheckIsText(input, named.Name, allowsText);
                name = PlainName(name);
                return input;
            }
            if (taken.Count == MostLayers)
                throw new InvalidDataException($"it is compressed more than {MostLayers} times");
            name = PlainName(name);
            taken.Add(found.Name);
            var packed = input;
            input = new PeekStream(new GuardedStream(() => found.Open(packed), packed, found.Name));
        }
    }

    private static void CheckIsText(PeekStream input, string named, bool allowsText)
    {
        var head = input.Peek(RawInput.HeadBytes).Span;
        if (head.IsEmpty)
            throw new InvalidDataException("it is empty");
        if (!allowsText || head.IndexOfAnyInRange((byte)0, (byte)8) >= 0)
            throw new InvalidDataException($"its name says {named}, its first bytes do not");
    }

    private static bool IsZstd(ReadOnlySpan<byte> head) =>
        head.StartsWith((ReadOnlySpan<byte>)[0x28, 0xB5, 0x2F, 0xFD])
        || (head.Length >= 4 && head[0] >> 4 == 5 && head[1..4].SequenceEqual((ReadOnlySpan<byte>)[0x2A, 0x4D, 0x18]));

    /// <summary>A block of data follows, or none, in a file of nothing.</summary>
    private static bool IsBzip2(ReadOnlySpan<byte> head) =>
        head.Length >= 10
        && head.StartsWith("BZh"u8)
        && head[3] is >= (byte)'1' and <= (byte)'9'
        && (
            head[4..10].SequenceEqual((ReadOnlySpan<byte>)[0x31, 0x41, 0x59, 0x26, 0x53, 0x59])
            || head[4..10].SequenceEqual((ReadOnlySpan<byte>)[0x17, 0x72, 0x45, 0x38, 0x50, 0x90])
        );

    private static DecompressionStream OpenZstd(PeekStream input)
    {
        var decompressor = new ZstdSharp.Decompressor();
        decompressor.SetParameter(ZSTD_dParameter.ZSTD_d_windowLogMax, LargestZstdWindow);
        return new DecompressionStream(
            input,
            decompressor,
            bufferSize: 0,
            checkEndOfStream: true,
            preserveDecompressor: false,
            leaveOpen: false
        );
    }

    /// <summary>Says what is wrong with a stream in one way, whatever its library throws, and wherever.</summary>
    private sealed class GuardedStream(Func<Stream> open, Stream source, string compression) : ReadOnlyStream
    {
        private Stream? _inner;

        public override int Read(Span<byte> buffer)
        {
            try
            {
                _inner ??= open();
                return _inner.Read(buffer);
            }
            catch (Exception error) when (error is not (InvalidDataException or OutOfMemoryException))
            {
                bool isDictionary = error.Message.Contains("Dictionary mismatch", StringComparison.OrdinalIgnoreCase);
                throw new InvalidDataException(
                    isDictionary
                        ? $"{compression}: it was compressed with a dictionary, which is not in it"
                        : $"{compression}: {error.Message}",
                    error
                );
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                _inner?.Dispose();
                source.Dispose();
            }
            base.Dispose(disposing);
        }
    }
}
