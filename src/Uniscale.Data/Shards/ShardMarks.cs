using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Uniscale.Configuration;

namespace Uniscale.Data;

/// <summary>
/// PREFIX.marks beside a shard whose tokens are packs: whole samples, and padding up to a length that all packs have. Little endian: magic
/// (8 bytes), i32 version,
/// i32 kind of the packs, i32 tokens of a pack, i32 zero, then one byte a token (<see cref="TokenMarks"/>).
/// </summary>
public sealed class ShardMarks : IDisposable
{
    internal const string Extension = ".marks";
    private const int HeaderBytes = 24;
    private const int Version = 1;

    private readonly MappedFile _file;

    private ShardMarks(MappedFile file, PackKind kind, int packTokens) => (_file, Kind, PackTokens) = (file, kind, packTokens);

    private static ReadOnlySpan<byte> Magic => "UNIMARKS"u8;

    /// <summary>What the packs hold.</summary>
    public PackKind Kind { get; }

    /// <summary>Tokens of a pack.</summary>
    public int PackTokens { get; }

    internal MappedFile File => _file;

    /// <summary>Where the marks of a shard lie.</summary>
    public static string PathOf(string prefix) => prefix + Extension;

    /// <summary>The marks of a shard; null where it has none and its tokens are plain text.</summary>
    /// <exception cref="UserErrorException">The file is cut, damaged or of another shard.</exception>
    internal static ShardMarks? Open(string prefix, long tokenCount)
    {
        string path = PathOf(prefix);
        if (!System.IO.File.Exists(path))
            return null;
        var file = new MappedFile(path);
        try
        {
            if (file.Length != HeaderBytes + tokenCount)
                throw Wrong(path, $"has {file.Length} bytes, where {tokenCount} tokens need {HeaderBytes + tokenCount}");
            Span<byte> header = stackalloc byte[HeaderBytes];
            file.Read(0, header);
            if (!header[..8].SequenceEqual(Magic) || BinaryPrimitives.ReadInt32LittleEndian(header[8..]) != Version)
                throw Wrong(path, "does not begin as the marks of a shard do");
            int kind = BinaryPrimitives.ReadInt32LittleEndian(header[12..]),
                pack = BinaryPrimitives.ReadInt32LittleEndian(header[16..]);
            if (!Enum.IsDefined((PackKind)kind) || pack < 1 || tokenCount % pack != 0)
                throw Wrong(path, $"tells of packs of {pack} tokens (kind {kind}), which {tokenCount} tokens are not");
            return new ShardMarks(file, (PackKind)kind, pack);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>What the file begins with.</summary>
    internal static byte[] Header(PackKind kind, int packTokens)
    {
        byte[] header = new byte[HeaderBytes];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(8), Version);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(12), (int)kind);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(16), packTokens);
        return header;
    }

    /// <summary>Copies the marks of the tokens that begin at <paramref name="position"/>.</summary>
    /// <exception cref="UserErrorException">The file was changed since it was opened.</exception>
    public void Read(long position, Span<TokenMarks> marks)
    {
        _file.CheckUnchanged();
        _file.Read(HeaderBytes + position, MemoryMarshal.Cast<TokenMarks, byte>(marks));
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private static UserErrorException Wrong(string path, string what) =>
        new($"{path} {what}: make the shard again with `uniscale data chat`.");
}
