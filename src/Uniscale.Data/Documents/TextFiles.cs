using System.IO.Compression;
using Uniscale.Configuration;
using ZstdSharp;

namespace Uniscale.Data;

/// <summary>Files that may be compressed.</summary>
public static class TextFiles
{
    private static readonly string[] Compressed = [".gz", ".zst", ".dz"];

    /// <summary>Opens a file for reading, decompressed where its name ends in .gz, .dz or .zst.</summary>
    /// <exception cref="UserErrorException">The file does not exist.</exception>
    public static Stream Open(string path)
    {
        if (!File.Exists(path))
            throw new UserErrorException($"{path} does not exist; give a text or JSONL file, or a store made by `uniscale data import`.");
        var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
        return Path.GetExtension(path) switch
        {
            ".gz" or ".dz" => new GZipStream(file, CompressionMode.Decompress),
            ".zst" => new DecompressionStream(file, leaveOpen: false),
            _ => file,
        };
    }

    /// <summary>The path without the extension of its compression.</summary>
    public static string WithoutCompression(string path) =>
        Compressed.Contains(Path.GetExtension(path)) ? path[..^Path.GetExtension(path).Length] : path;

    /// <summary>True for JSON lines, compressed or not.</summary>
    public static bool IsJsonLines(string path) => Path.GetExtension(WithoutCompression(path)) is ".jsonl" or ".ndjson";

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
            catch (Exception error) when (error is InvalidDataException or ZstdSharp.ZstdException or EndOfStreamException)
            {
                throw new UserErrorException($"{path} cannot be decompressed ({error.Message.TrimEnd('.')}); it is damaged or not what its name says.", error);
            }
            yield return enumerator.Current;
        }
    }
}
