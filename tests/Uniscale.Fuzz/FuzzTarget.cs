namespace Uniscale.Fuzz;

/// <summary>
/// A reader of what others wrote, with inputs that it takes. To add a format, add one of these to <see cref="FuzzTargets.All"/>.
/// </summary>
/// <param name="Name">As scripts/fuzz.sh takes it.</param>
/// <param name="FileName">Name of the file that holds an input, for readers that go by names.</param>
/// <param name="Corpus">Good inputs, from which others are made; they are written into a folder of the run.</param>
/// <param name="Read">Reads the file at a path; may end in order or with a UserErrorException of one sentence, and with nothing
/// else.</param>
/// <param name="Words">Pieces of the format that mutations put in.</param>
public sealed record FuzzTarget(
    string Name,
    string FileName,
    Func<string, IReadOnlyList<byte[]>> Corpus,
    Action<string> Read,
    IReadOnlyList<byte[]> Words
);
