using Google.Protobuf;

namespace Uniscale.Checkpoints.HuggingFace;

/// <summary>A piece of a SentencePiece model.</summary>
/// <param name="Text">Its text; U+2581 stands for a space.</param>
/// <param name="Score">Of two merges the one whose piece has the higher score comes first.</param>
/// <param name="Kind">Normal, unknown, control, user defined, unused or byte.</param>
internal sealed record SentencePiece(string Text, float Score, SentencePieceKind Kind);

/// <summary>Kinds of pieces, numbered as in the file.</summary>
internal enum SentencePieceKind
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// <summary>How a SentencePiece model cuts text, numbered as in the file.</summary>
internal enum SentencePieceAlgorithm
{
    Unigram = 1,
    Bpe = 2,
    Word = 3,
    Char = 4,
}

/// <summary>
/// A SentencePiece model as its file describes it (sentencepiece_model.proto), as far as another library needs it to cut text alike.
/// </summary>
internal sealed record SentencePieceModel
{
    /// <summary>All pieces; a piece's place is its token.</summary>
    public List<SentencePiece> Pieces { get; } = [];

    public SentencePieceAlgorithm Algorithm { get; private set; } = SentencePieceAlgorithm.Unigram;

    /// <summary>Characters without a piece become bytes.</summary>
    public bool ByteFallback { get; private set; }

    /// <summary>Spaces stand behind words, not before them.</summary>
    public bool SpaceIsSuffix { get; private set; }

    /// <summary>A space is put before every text.</summary>
    public bool AddsSpace { get; private set; } = true;

    /// <summary>Spaces at the ends go, runs of them become one.</summary>
    public bool RemovesSpaces { get; private set; } = true;

    /// <summary>Spaces become U+2581.</summary>
    public bool EscapesSpaces { get; private set; } = true;

    /// <summary>Rules that characters are rewritten by, compiled; empty: none.</summary>
    public byte[] Rewriting { get; private set; } = [];

    /// <summary>Reads a model; throws <see cref="CheckpointException"/> where the file is none.</summary>
    public static SentencePieceModel Read(string path)
    {
        try
        {
            var model = new SentencePieceModel();
            var input = new CodedInputStream(File.ReadAllBytes(path));
            while (input.ReadTag() is not 0 and var tag)
            {
                switch (WireFormat.GetTagFieldNumber(tag))
                {
                    case 1:
                        model.Pieces.Add(ReadPiece(Message(input)));
                        break;
                    case 2:
                        model.ReadTrainer(Message(input));
                        break;
                    case 3:
                        model.ReadNormalizer(Message(input));
                        break;
                    default:
                        input.SkipLastField();
                        break;
                }
            }
            return model.Pieces.Count > 0 ? model : throw new CheckpointException($"{path} is no SentencePiece model: it has no pieces");
        }
        catch (Exception failure) when (failure is InvalidProtocolBufferException or IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"{path} is no SentencePiece model ({failure.Message.TrimEnd('.')})", failure);
        }
    }

    private static CodedInputStream Message(CodedInputStream input) => input.ReadBytes().CreateCodedInput();

    private static SentencePiece ReadPiece(CodedInputStream input)
    {
        var piece = new SentencePiece("", 0, SentencePieceKind.Normal);
        while (input.ReadTag() is not 0 and var tag)
        {
            switch (WireFormat.GetTagFieldNumber(tag))
            {
                case 1:
                    piece = piece with { Text = input.ReadString() };
                    break;
                case 2:
                    piece = piece with { Score = input.ReadFloat() };
                    break;
                case 3:
                    piece = piece with { Kind = (SentencePieceKind)input.ReadEnum() };
                    break;
                default:
                    input.SkipLastField();
                    break;
            }
        }
        return piece;
    }

    private void ReadTrainer(CodedInputStream input)
    {
        while (input.ReadTag() is not 0 and var tag)
        {
            switch (WireFormat.GetTagFieldNumber(tag))
            {
                case 3:
                    Algorithm = (SentencePieceAlgorithm)input.ReadEnum();
                    break;
                case 24:
                    SpaceIsSuffix = input.ReadBool();
                    break;
                case 35:
                    ByteFallback = input.ReadBool();
                    break;
                default:
                    input.SkipLastField();
                    break;
            }
        }
    }

    private void ReadNormalizer(CodedInputStream input)
    {
        while (input.ReadTag() is not 0 and var tag)
        {
            switch (WireFormat.GetTagFieldNumber(tag))
            {
                case 2:
                    Rewriting = input.ReadBytes().ToByteArray();
                    break;
                case 3:
                    AddsSpace = input.ReadBool();
                    break;
                case 4:
                    RemovesSpaces = input.ReadBool();
                    break;
                case 5:
                    EscapesSpaces = input.ReadBool();
                    break;
                default:
                    input.SkipLastField();
                    break;
            }
        }
    }
}
