namespace Uniscale.Alignment.Prompts;

/// <summary>A prompt with the answer that its sample has.</summary>
/// <param name="Domain">Domain of its source.</param>
/// <param name="Tokens">Tokens behind which an answer is drawn.</param>
/// <param name="Reference">Tokens of the sample's answer, with what ends it.</param>
public sealed record ChatPrompt(string Domain, int[] Tokens, int[] Reference);
