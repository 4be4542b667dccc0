using System.IO.Hashing;
using System.Runtime.InteropServices;
using Uniscale.Configuration;

namespace Uniscale.Data;

/// <summary>
/// One pair of .bin and .idx, memory-mapped for reading: tokens by position and the documents they belong to; and their marks where a
/// .marks lies beside them.
/// Safe for several readers.
/// </summary>
public sealed class TokenShard : IDisposable
{
    /// <summary>A .bin up to this size is digested whole for the fingerprint; a larger one at evenly spaced places.</summary>
    private const long DigestedWholeBytes = 64L << 20;

    private const int SampleCount = 256;
    private const int SampleBytes = 4096;

    private readonly MappedFile _bin;
    private readonly ShardIndex _index;
    private readonly Lazy<string> _fingerprint;

    private TokenShard(string prefix)
    {
        Prefix = prefix;
        _bin = new MappedFile(ShardFormat.BinPath(prefix));
        try
        {
            _index = new ShardIndex(ShardFormat.IndexPath(prefix), _bin.Length);
            Marks = ShardMarks.Open(prefix, _index.TokenCount);
        }
        catch
        {
            _bin.Dispose();
            _index?.Dispose();
            throw;
        }
        _fingerprint = new Lazy<string>(() => Digest(whole: _bin.Length <= DigestedWholeBytes));
    }

    /// <summary>Path without extension.</summary>
    public string Prefix { get; }

    /// <summary>How tokens are stored.</summary>
    public TokenType Type => _index.Type;

    /// <summary>Tokens of the shard.</summary>
    public long TokenCount => _index.TokenCount;

    /// <summary>What each token is in a pack; null: the shard is plain text.</summary>
    public ShardMarks? Marks { get; }

    /// <summary>Sequences in the index; one a document in shards written here.</summary>
    public long SequenceCount => _index.SequenceCount;

    /// <summary>Documents of the shard.</summary>
    public long DocumentCount => _index.DocumentCount;

    /// <summary>
    /// Digest of size and content, marks too (at 256 places where the shard is larger than 64 MiB). Where it lies and when it was written
    /// do not enter.
    /// </summary>
    public string Fingerprint => _fingerprint.Value;

    /// <summary>Opens a shard and checks that its two files agree.</summary>
    /// <param name="path">Prefix, or the path of either file.</param>
    /// <exception cref="UserErrorException">A file is missing, cut, damaged, or not a shard.</exception>
    public static TokenShard Open(string path)
    {
        string prefix = ShardFormat.PrefixOf(path);
        foreach (string file in (string[])[ShardFormat.BinPath(prefix), ShardFormat.IndexPath(prefix)])
            if (!File.Exists(file))
                throw new UserErrorException(
                    $"{file} does not exist; a shard is the pair PREFIX.bin and PREFIX.idx made by `uniscale data tokenize`."
                );
        return new TokenShard(prefix);
    }

    /// <summary>Copies tokens that begin at <paramref name="position"/>.</summary>
    /// <exception cref="UserErrorException">The shard was changed since it was opened.</exception>
    public void Read(long position, Span<int> tokens)
    {
        _bin.CheckUnchanged();
        _index.CheckUnchanged(); // whoever reads tokens may look up their documents next
        switch (Type)
        {
            case TokenType.UInt16:
                Widen<ushort>(position, tokens);
                break;
            case TokenType.Int32:
                _bin.Read(4 * position, tokens);
                break;
            case TokenType.UInt8:
                Widen<byte>(position, tokens);
                break;
            case TokenType.Int8:
                Widen<sbyte>(position, tokens);
                break;
            case TokenType.Int16:
                Widen<short>(position, tokens);
                break;
            default:
                Widen<long>(position, tokens);
                break;
        }
    }

    /// <summary>The document that the token at <paramref name="position"/> belongs to.</summary>
    public long DocumentAt(long position) => _index.DocumentAt(position);

    /// <summary>First token of a document; of document <see cref="DocumentCount"/>, the number of tokens.</summary>
    public long DocumentStart(long document) => _index.StartOf(document);

    /// <summary>
    /// Checks every entry of the index, every token, and every byte of both files against the digests recorded beside them.
    /// </summary>
    /// <returns>The digest, which equals <see cref="Fingerprint"/> for shards up to 64 MiB.</returns>
    /// <exception cref="UserErrorException">The files disagree, are not what was recorded, or a token is outside the
    /// vocabulary.</exception>
    public string Verify(int vocabulary = int.MaxValue)
    {
        _index.CheckAgainst(ShardFormat.IndexPath(Prefix), _bin.Length, every: true);
        int[] block = new int[1 << 16];
        for (long position = 0; position < TokenCount; position += block.Length)
        {
            var tokens = block.AsSpan(0, (int)Math.Min(block.Length, TokenCount - position));
            Read(position, tokens);
            int wrong = tokens.IndexOfAnyExceptInRange(0, vocabulary - 1);
            if (wrong >= 0)
                throw OutsideVocabulary(position + wrong, tokens[wrong], vocabulary);
        }
        CheckRecorded(whole: true);
        return Digest(whole: true);
    }

    /// <summary>True where digests of this shard lie beside it, written when it was made.</summary>
    public bool IsRecorded => TokenizationRecord.DigestsOf(Prefix) is not null;

    /// <summary>Compares the shard with the digests that lie beside it; nothing happens where there are none.</summary>
    /// <param name="whole">Every byte; otherwise the fingerprint, which sees all of a small shard and 256 places of a large one.</param>
    /// <exception cref="UserErrorException">The shard is not what was recorded.</exception>
    public void CheckRecorded(bool whole)
    {
        if (TokenizationRecord.DigestsOf(Prefix) is not { } recorded)
            return;
        if (whole ? ShardDigests.OfFile(ShardFormat.BinPath(Prefix)) != recorded.Bin : Fingerprint != recorded.Fingerprint)
            throw Altered(ShardFormat.BinPath(Prefix));
        if (whole && ShardDigests.OfFile(ShardFormat.IndexPath(Prefix)) != recorded.Index)
            throw Altered(ShardFormat.IndexPath(Prefix));
        if (whole && Marks is not null && ShardDigests.OfFile(ShardMarks.PathOf(Prefix)) != recorded.Marks)
            throw Altered(ShardMarks.PathOf(Prefix));
    }

    /// <summary>What a shard is called whose index contradicts itself.</summary>
    internal UserErrorException Damaged(string what) =>
        new($"{ShardFormat.IndexPath(Prefix)} {what}; it is damaged: copy or tokenize it again.");

    private UserErrorException Altered(string path) =>
        new(
            $"{path} is not what `uniscale data tokenize` wrote: its digest is not the one in {TokenizationRecord.PathOf(Prefix)}. "
                + "Copy the shard again or tokenize again; if it was made anew on purpose, remove that file."
        );

    internal UserErrorException OutsideVocabulary(long position, int token, int vocabulary) =>
        new(
            $"{ShardFormat.BinPath(Prefix)} holds the token {token} at position {position}, outside the vocabulary of {vocabulary}; "
                + "tokenize the data with the tokenizer of this vocabulary."
        );

    /// <inheritdoc/>
    public void Dispose()
    {
        _bin.Dispose();
        _index.Dispose();
        Marks?.Dispose();
    }

    private void Widen<T>(long position, Span<int> tokens)
        where T : unmanaged, System.Numerics.INumberBase<T>
    {
        var stored = tokens.Length <= 8192 ? stackalloc T[tokens.Length] : new T[tokens.Length];
        _bin.Read(position * Marshal.SizeOf<T>(), stored);
        for (int i = 0; i < stored.Length; i++)
            tokens[i] = int.CreateSaturating(stored[i]);
    }

    private string Digest(bool whole)
    {
        var hash = new XxHash128();
        Append(hash, _bin, whole);
        AppendIndex(hash);
        if (Marks is not null)
            Append(hash, Marks.File, whole || Marks.File.Length <= DigestedWholeBytes);
        return Convert.ToHexStringLower(hash.GetCurrentHash());
    }

    private static void Append(XxHash128 hash, MappedFile file, bool whole)
    {
        hash.Append(BitConverter.GetBytes(file.Length));
        byte[] block = new byte[whole ? 1 << 20 : SampleBytes];
        long step = whole ? block.Length : (file.Length - SampleBytes) / (SampleCount - 1);
        for (long offset = 0; offset < file.Length; offset += step)
        {
            var part = block.AsSpan(0, (int)Math.Min(block.Length, file.Length - offset));
            file.Read(offset, part);
            hash.Append(part);
        }
    }

    private void AppendIndex(XxHash128 hash)
    {
        hash.Append(BitConverter.GetBytes(DocumentCount));
        long step = Math.Max(1, DocumentCount / SampleCount);
        for (long document = 0; document <= DocumentCount && SequenceCount > 0; document += step)
            hash.Append(BitConverter.GetBytes(_index.StartOf(document)));
    }
}
