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

/// <summary>A SentencePiece model: text to tokens and back. Safe to use from several threads.</summary>
public sealed class Tokenizer : IDisposable
{
    private const char Space = '\u2581';
    private const int ErrorBytes = 1024;
    private const long MaxModelBytes = 256 << 20;

    /// <summary>U+2581, which SentencePiece writes for a space: in a text it is taken for one.</summary>
    internal static ReadOnlySpan<byte> SpaceMark => "\u2581"u8;

    private readonly SentencePieceHandle _model;
    private readonly Lazy<BpeModel?> _bpe; // null: the library encodes

    private Tokenizer(string path, SentencePieceHandle model, byte[] bytes, ModelFile file, RewritingTable? table)
    {
        Path = path;
        _model = model;
        Span<int> description = stackalloc int[5];
        SentencePieceLibrary.Describe(model, description);
        (Size, UnknownId, BeginId, EndId, PaddingId) = (description[0], description[1], description[2], description[3], description[4]);
        Fingerprint = Convert.ToHexStringLower(XxHash128.Hash(bytes));
        Symbols =
        [
            .. file
                .Pieces.Where(piece => piece.Type == ModelPieceType.UserDefined)
                .Select(piece => Encoding.UTF8.GetString(piece.Utf8.Span))
                .Where(text => !string.IsNullOrWhiteSpace(text)),
        ];
        _bpe = new Lazy<BpeModel?>(() => BpeModel.Of(file, table));
    }

    /// <summary>The model's file.</summary>
    public string Path { get; }

    /// <summary>Number of tokens.</summary>
    public int Size { get; }

    /// <summary>Token of what no piece covers.</summary>
    public int UnknownId { get; }

    /// <summary>Begin of text; -1 where the model has none.</summary>
    public int BeginId { get; }

    /// <summary>End of text, the separator between documents; -1 where the model has none.</summary>
    public int EndId { get; }

    /// <summary>Padding; -1 where the model has none.</summary>
    public int PaddingId { get; }

    /// <summary>Digest of the model's file.</summary>
    public string Fingerprint { get; }

    /// <summary>Pieces that stand for themselves wherever a text has them, e.g. markers of a dialogue.</summary>
    public IReadOnlyList<string> Symbols { get; }

    /// <summary>Loads a SentencePiece model of any kind.</summary>
    /// <exception cref="UserErrorException">The file is missing or no SentencePiece model.</exception>
    public static Tokenizer Load(string path)
    {
        if (!File.Exists(path))
            throw new UserErrorException(
                $"The tokenizer {path} does not exist: make one with `uniscale tokenizer train`, or make a whole corpus with scripts/corpus.sh and name its folder in UNISCALE_CORPUS."
            );
        if (new FileInfo(path).Length > MaxModelBytes)
            throw new UserErrorException(
                $"{path} has more than {MaxModelBytes >> 20} MiB and so is no SentencePiece model; give the .model file that `uniscale tokenizer train` wrote."
            );
        byte[] bytes = File.ReadAllBytes(path),
            error = new byte[ErrorBytes];
        var model = SentencePieceLibrary.Load(bytes, bytes.Length, error, error.Length);
        if (model.IsInvalid)
            throw NoModel(path);
        try
        {
            var file = ModelFile.Read(bytes);
            var table = RewritingTable.Read(file.Rewriting.Span);
            if (table is not null || file.Rewriting.IsEmpty)
                return new Tokenizer(path, model, bytes, file, table);
            model.Dispose();
            throw new UserErrorException(
                $"The table by which {path} rewrites characters (precompiled_charsmap) is damaged: get the model again."
            );
        }
        catch (Google.Protobuf.InvalidProtocolBufferException)
        {
            model.Dispose();
            throw NoModel(path);
        }
    }

    /// <summary>Encodes a text without separators.</summary>
    public int[] Encode(string text)
    {
        var tokens = new ArrayBufferWriter<int>(text.Length + 16);
        Encode(Encoding.UTF8.GetBytes(text), continues: false, tokens);
        return tokens.WrittenSpan.ToArray();
    }

    /// <summary>
    /// Encodes UTF-8 text into the pieces that SentencePiece gives for the whole of it: byte-pair models by our own encoder (see
    /// <see cref="BpeEncoder"/>), others by the library, which
    /// is given the text in one call.
    /// </summary>
    /// <param name="utf8">The text.</param>
    /// <param name="continues">The text goes on where a part of the same document was cut by <see cref="LastCut"/>.</param>
    /// <param name="output">Receives the tokens.</param>
    public void Encode(ReadOnlySpan<byte> utf8, bool continues, IBufferWriter<int> output)
    {
        if (utf8.IsEmpty)
            return;
        if (_bpe.Value is { } bpe)
            bpe.Encode(utf8, continues, output);
        else
            EncodeByLibrary(utf8, output);
    }

    /// <summary>The last place at which a text that goes on may be cut into parts that are encoded alone; 0: there is none.</summary>
    public int LastCut(ReadOnlySpan<byte> utf8) => _bpe.Value?.LastCut(utf8) ?? 0;

    /// <summary>The text of tokens; control tokens are silent.</summary>
    public string Decode(ReadOnlySpan<int> tokens)
    {
        foreach (int token in tokens)
            if ((uint)token >= (uint)Size)
                throw new UserErrorException(
                    $"Token {token} is outside the vocabulary of {Size} of {Path}; the data was made with another tokenizer."
                );
        byte[] text = new byte[tokens.Length * 8 + 64],
            error = new byte[ErrorBytes];
        long length = SentencePieceLibrary.Decode(_model, tokens, tokens.Length, text, text.Length, error, error.Length);
        if (length > text.Length)
        {
            text = new byte[length];
            length = SentencePieceLibrary.Decode(_model, tokens, tokens.Length, text, text.Length, error, error.Length);
        }
        return length < 0
            ? throw new InvalidOperationException($"SentencePiece could not decode: {Text(error)}")
            : Encoding.UTF8.GetString(text, 0, (int)length);
    }

    /// <summary>The vocabulary entry of a token.</summary>
    public Piece PieceOf(int id)
    {
        if ((uint)id >= (uint)Size)
            throw new ArgumentOutOfRangeException(nameof(id), $"Token {id} is outside the vocabulary of {Size}.");
        byte[] piece = new byte[256];
        long length = SentencePieceLibrary.Piece(_model, id, piece, piece.Length, out float score, out int kind);
        if (length > piece.Length)
        {
            piece = new byte[length];
            length = SentencePieceLibrary.Piece(_model, id, piece, piece.Length, out score, out kind);
        }
        return new Piece(Encoding.UTF8.GetString(piece, 0, (int)length), score, (PieceKind)kind);
    }

    /// <summary>The id of a piece; <see cref="UnknownId"/> where there is none.</summary>
    public int IdOf(string piece)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(piece);
        return SentencePieceLibrary.Id(_model, utf8, utf8.Length);
    }

    /// <summary>
    /// Bytes of text that each token stands for, for losses in bits per byte: control tokens 0, byte tokens and spaces 1.
    /// </summary>
    public int[] ByteLengths() => [.. Enumerable.Range(0, Size).Select(id => BytesOf(PieceOf(id)))];

    /// <inheritdoc/>
    public void Dispose() => _model.Dispose();

    private static UserErrorException NoModel(string path) =>
        new($"{path} is no SentencePiece model; give the .model file that `uniscale tokenizer train` wrote.");

    private static int BytesOf(Piece piece) =>
        piece.Kind switch
        {
            PieceKind.Control or PieceKind.Unused => 0,
            PieceKind.Byte or PieceKind.Unknown => 1,
            _ => Encoding.UTF8.GetByteCount(piece.Text) - 2 * piece.Text.Count(c => c == Space),
        };

    /// <summary>The library's own tokens.</summary>
    internal void EncodeByLibrary(ReadOnlySpan<byte> text, IBufferWriter<int> output)
    {
        int capacity = text.Length + 16; // a token covers at least a byte, but for the space in front
        var tokens = output.GetSpan(capacity);
        Span<byte> error = stackalloc byte[ErrorBytes];
        long count = SentencePieceLibrary.Encode(_model, text, text.Length, tokens, tokens.Length, error, error.Length);
        if (count < 0)
            throw new InvalidOperationException($"SentencePiece could not encode: {Text(error)}");
        if (count > tokens.Length)
        {
            tokens = output.GetSpan((int)count);
            count = SentencePieceLibrary.Encode(_model, text, text.Length, tokens, tokens.Length, error, error.Length);
        }
        output.Advance((int)count);
    }

    private static string Text(ReadOnlySpan<byte> message)
    {
        int end = message.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? message : message[..end]).Trim();
    }
}
