namespace Uniscale.Corpus.Reading;

/// <summary>Reads one form in which corpora come. Memory is bounded by the longest document, whatever the size of the file.</summary>
internal interface IFormReader
{
    /// <summary>The name of the form, as users write and read it.</summary>
    string Form { get; }

    /// <summary>The documents in the order in which they stand.</summary>
    /// <param name="input">The bytes, decompressed.</param>
    /// <param name="context">What the user asked for.</param>
    /// <returns>Documents; an exception ends the file as damaged, its message is the reason.</returns>
    IEnumerable<RawDocument> Read(RawInput input, ReadingContext context);
}
