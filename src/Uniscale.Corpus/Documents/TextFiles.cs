using System.IO.Compression;
using Uniscale.Configuration;
using ZstdSharp;

namespace Uniscale.Corpus;

/// <summary>Files that may be compressed.</summary>
public static class TextFiles
{
    private static readonly string[] Compressed = [".gz", ".zst", ".dz"];

    // Before the first use of GZipStream in the process: without it a stream that was cut passes for a whole one.
    static TextFiles() => AppContext.SetSwitch("System.IO.Compression.UseStrictValidation", true);

    /// <summary>Opens a file for reading, decompressed where its first bytes are those of gzip or Zstandard, or its name says so.</summary>
    /// <exception cref="UserErrorException">The file does not exist.</exception>
    public static Stream Open(string path)
    {
        if (!File.Exists(path))
            throw new UserErrorException($"{path} does not exist; give a text or JSONL file, or a store made by `uniscale data import`.");
        return Decompressed(path, new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan));
    }

    /// <summary>The contents of a file, decompressed where its first bytes or its name say so; owns the stream.</summary>
    internal static Stream Decompressed(string path, Stream file)
    {
        Span<byte> magic = stackalloc byte[4];
        int held = file.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false);
        file.Position = 0;
        string extension = Path.GetExtension(path).ToLowerInvariant();
        if (extension is ".gz" or ".dz" || magic[..held].StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B, 0x08]))
            return held > 0 ? new GZipStream(file, CompressionMode.Decompress) : throw Damaged(path, file, "it is empty");
        if (extension is ".zst" || magic[..held].SequenceEqual((ReadOnlySpan<byte>)[0x28, 0xB5, 0x2F, 0xFD]))
            return held > 0 ? new DecompressionStream(file, checkEndOfStream: true, leaveOpen: false) : throw Damaged(path, file, "it is empty");
        return file;
    }

    /// <summary>The path without the extension of its compression.</summary>
    public static string WithoutCompression(string path) =>
        Compressed.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase) ? path[..^Path.GetExtension(path).Length] : path;

    /// <summary>True for JSON lines by their name, compressed or not.</summary>
    public static bool IsJsonLines(string path) => Path.GetExtension(WithoutCompression(path)).ToLowerInvariant() is ".jsonl" or ".ndjson";

    /// <summary>True for what a decompressor throws.</summary>
    internal static bool IsDamage(Exception error) => error is InvalidDataException or ZstdException or EndOfStreamException;

    /// <summary>Turns a broken archive into a sentence that names it.</summary>
    internal static IEnumerable<T> Guarded<T>(IEnumerable<T> items, string path)
    {
        using IEnumerator<T> enumerator = items.GetEnumerator();
        while (true)
        {
            try
            {
                if (!enumerator.MoveNext())
                    yield break;
            }
            catch (Exception error) when (IsDamage(error))
            {
                throw new UserErrorException($"{path} cannot be decompressed ({error.Message.TrimEnd('.')}); it is cut, damaged or not what its name says.", error);
            }
            yield return enumerator.Current;
        }
    }

    private static InvalidDataException Damaged(string path, Stream file, string why)
    {
        file.Dispose();
        return new InvalidDataException($"{path}: {why}");
    }
}
