using System.Buffers;
using System.IO.Hashing;
using System.Text;
using Uniscale.Configuration;

namespace Uniscale.Data;

/// <summary>What a token stands for.</summary>
public enum PieceKind
{
    /// <summary>A piece of text.</summary>
    Normal,

    /// <summary>Stands for what no piece covers.</summary>
    Unknown,

    /// <summary>A mark without text, such as the end of a document.</summary>
    Control,

    /// <summary>Never written.</summary>
    Unused,

    /// <summary>A single byte of a text that no piece covers.</summary>
    Byte,
}

/// <summary>A vocabulary entry.</summary>
/// <param name="Text">The piece; U+2581 stands for a space.</param>
/// <param name="Score">Rank of the merge that made it (BPE: minus its number).</param>
/// <param name="Kind">What it stands for.</param>
public readonly record struct Piece(string Text, float Score, PieceKind Kind);

/// <summary>
/// A vocabulary with its rules: text to tokens and back. A SentencePiece model, or a tokenizer.json of Hugging Face with byte-level BPE;
/// the file's content tells which. Safe to use from several threads.
/// </summary>
public abstract class Tokenizer : IDisposable
{
    private const long MaxModelBytes = 256 << 20;

    /// <param name="path">The model's file.</param>
    private protected Tokenizer(string path) => Path = path;

    /// <summary>U+2581, which SentencePiece writes for a space: in a text it is taken for one.</summary>
    internal static ReadOnlySpan<byte> SpaceMark => "\u2581"u8;

    /// <summary>The model's file.</summary>
    public string Path { get; }

    /// <summary>Number of tokens.</summary>
    public int Size { get; private protected init; }

    /// <summary>Token of what no piece covers; -1 where there is nothing such.</summary>
    public int UnknownId { get; private protected init; }

    /// <summary>Begin of text; -1 where the model has none.</summary>
    public int BeginId { get; private protected init; }

    /// <summary>End of text, the separator between documents; -1 where the model has none.</summary>
    public int EndId { get; private protected init; }

    /// <summary>Padding; -1 where the model has none.</summary>
    public int PaddingId { get; private protected init; }

    /// <summary>Digest of the model: of its file, and of what a file beside it says of special tokens.</summary>
    public string Fingerprint { get; private protected init; } = "";

    /// <summary>Pieces that stand for themselves wherever a text has them, e.g. markers of a dialogue.</summary>
    public IReadOnlyList<string> Symbols { get; private protected init; } = [];

    /// <summary>U+2581 in a text is taken for a space, and so given back as one.</summary>
    public abstract bool TakesMarkForSpace { get; }

    /// <summary>Loads a model.</summary>
    /// <exception cref="UserErrorException">The file is missing, no model, or one that asks for what is not done here.</exception>
    public static Tokenizer Load(string path)
    {
        if (!File.Exists(path))
            throw new UserErrorException(
                $"The tokenizer {path} does not exist: make one with `uniscale tokenizer train`, or make a whole corpus with scripts/corpus.sh and name its folder in UNISCALE_CORPUS."
            );
        if (new FileInfo(path).Length > MaxModelBytes)
            throw new UserErrorException(
                $"{path} has more than {MaxModelBytes >> 20} MiB and so is no tokenizer: give the .model file that `uniscale tokenizer train` wrote, or a tokenizer.json."
            );
        byte[] bytes = File.ReadAllBytes(path);
        return ByteLevelTokenizer.IsOne(bytes) ? ByteLevelTokenizer.Read(path, bytes) : SentencePieceTokenizer.Read(path, bytes);
    }

    /// <summary>Encodes a text without separators.</summary>
    public int[] Encode(string text)
    {
        var tokens = new ArrayBufferWriter<int>(text.Length + 16);
        Encode(Encoding.UTF8.GetBytes(text), continues: false, tokens);
        return tokens.WrittenSpan.ToArray();
    }

    /// <summary>
    /// Encodes UTF-8 text into exactly the tokens that the model's own library gives for the whole of it. What spells a special token is
    /// text.
    /// </summary>
    /// <param name="utf8">The text.</param>
    /// <param name="continues">The text goes on where a part of the same document was cut by <see cref="LastCut"/>.</param>
    /// <param name="output">Receives the tokens.</param>
    public abstract void Encode(ReadOnlySpan<byte> utf8, bool continues, IBufferWriter<int> output);

    /// <summary>
    /// Encodes a text that may spell special tokens, which are taken for them, as Hugging Face's library does. Not for texts of others.
    /// </summary>
    public int[] EncodeWithSpecials(string text)
    {
        var tokens = new ArrayBufferWriter<int>(text.Length + 16);
        EncodeWithSpecials(Encoding.UTF8.GetBytes(text), tokens);
        return tokens.WrittenSpan.ToArray();
    }

    /// <summary>As <see cref="EncodeWithSpecials(string)"/>, of UTF-8.</summary>
    private protected abstract void EncodeWithSpecials(ReadOnlySpan<byte> utf8, IBufferWriter<int> output);

    /// <summary>The last place at which a text that goes on may be cut into parts that are encoded alone; 0: there is none.</summary>
    public abstract int LastCut(ReadOnlySpan<byte> utf8);

    /// <summary>The text of tokens; control tokens are silent.</summary>
    public string Decode(ReadOnlySpan<int> tokens)
    {
        foreach (int token in tokens)
            if ((uint)token >= (uint)Size)
                throw new UserErrorException(
                    $"Token {token} is outside the vocabulary of {Size} of {Path}; the data was made with another tokenizer."
                );
        return DecodeKnown(tokens);
    }

    /// <summary>The text of tokens that stand within a text: a space of the first is part of it.</summary>
    public abstract string DecodeWithin(ReadOnlySpan<int> tokens);

    /// <summary>The vocabulary entry of a token.</summary>
    public abstract Piece PieceOf(int id);

    /// <summary>The id of a piece; <see cref="UnknownId"/> where there is none.</summary>
    public abstract int IdOf(string piece);

    /// <summary>Bytes of text that each token stands for, for losses in bits per byte: control tokens 0.</summary>
    public abstract int[] ByteLengths();

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what the model holds.</summary>
    protected virtual void Dispose(bool disposing) { }

    /// <summary>The text of tokens that are in the vocabulary.</summary>
    protected abstract string DecodeKnown(ReadOnlySpan<int> tokens);

    private protected static string FingerprintOf(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(XxHash128.Hash(bytes));
}
