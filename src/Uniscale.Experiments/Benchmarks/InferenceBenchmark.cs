using System.Diagnostics;
using Uniscale.Engine.Decoding;
using Uniscale.Evaluation.Generation;
using Uniscale.Evaluation.Inference;
using Uniscale.Evaluation.Requests;

namespace Uniscale.Experiments.Benchmarks;

/// <summary>What an <see cref="InferenceBenchmark"/> measures.</summary>
/// <param name="Batch">Sequences that are read or continued at a time.</param>
/// <param name="Prompt">Tokens of each prompt, and of the beginning that all questions share.</param>
/// <param name="Tokens">Tokens that are generated behind each prompt.</param>
/// <param name="Questions">Questions of the exam.</param>
/// <param name="Rounds">Measurements; the median counts.</param>
public sealed record InferenceWork(int Batch, int Prompt, int Tokens, int Questions, int Rounds)
{
    /// <summary>Choices of a question, one token each.</summary>
    public const int Choices = 4;

    /// <summary>Tokens of a question behind what all questions share.</summary>
    public int Question => Math.Max(1, Prompt / 4);
}

/// <summary>A part of inference that was measured.</summary>
/// <param name="Name">What was done.</param>
/// <param name="Unit">What is counted.</param>
/// <param name="Batch">Sequences at a time.</param>
/// <param name="Count">How many units a measurement has.</param>
/// <param name="Seconds">Of each measurement.</param>
public sealed record InferenceMeasurement(string Name, string Unit, int Batch, int Count, IReadOnlyList<double> Seconds)
{
    /// <summary>Units a second at the median.</summary>
    public double Rate => Count / Statistics.Median(Seconds);
}

/// <summary>
/// Times a model as evaluation and generation use it: prompts that are read, tokens that are generated greedily behind them (the same
/// generator as <c>uniscale generate</c>'s), and questions of an exam, each with four choices of one token behind a beginning that all
/// questions share. Tokens are drawn, so that a peer can be given the same work without the same words.
/// </summary>
/// <param name="model">The model; not owned.</param>
/// <param name="work">What is measured.</param>
public sealed class InferenceBenchmark(InferenceModel model, InferenceWork work)
{
    // Numbers of texts behind those of the prompts.
    private const int SharedText = 1_000_000,
        ChoicesText = 1_000_001,
        FirstQuestion = 1_000_002;

    /// <summary>
    /// Each part is done for so long before it is measured: weights are packed by then, and what .NET compiles once more in a long run is
    /// compiled.
    /// </summary>
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(1);

    /// <summary>The parts, one after the other.</summary>
    public IEnumerable<InferenceMeasurement> Run()
    {
        var prompts = Enumerable.Range(0, work.Batch).Select(i => Drawn(i, work.Prompt)).ToList();
        var requests = prompts
            .Select(prompt => new GenerationRequest(prompt) { Sampling = SamplingOptions.Greedy, MaxTokens = work.Tokens + 1 })
            .ToList();
        var questions = LogLikelihoodReader.Grouped(Enumerable.Range(0, work.Questions).SelectMany(Question));
        yield return Measured("prompt", "tokens", work.Batch * work.Prompt, () => Read(prompts));
        yield return Measured("generation", "tokens", work.Batch * work.Tokens, () => Generate(requests));
        yield return Measured("exam", "questions", work.Questions, () => Answer(questions));
    }

    private InferenceMeasurement Measured(string name, string unit, int count, Func<TimeSpan> body)
    {
        long start = Stopwatch.GetTimestamp();
        do
            body();
        while (Stopwatch.GetElapsedTime(start) < WarmUp);
        double[] seconds = [.. Enumerable.Range(0, work.Rounds).Select(_ => body().TotalSeconds)];
        return new InferenceMeasurement(name, unit, work.Batch, count, seconds);
    }

    private TimeSpan Read(IReadOnlyList<int[]> prompts)
    {
        var sequences = prompts.Select(_ => model.NewSequence()).ToList();
        long start = Stopwatch.GetTimestamp();
        model.Read([.. prompts.Zip(sequences, (prompt, sequence) => new SequencePart(sequence, prompt))], (_, _, _) => { });
        var elapsed = Stopwatch.GetElapsedTime(start);
        foreach (var sequence in sequences)
            sequence.Dispose();
        return elapsed;
    }

    /// <summary>From the first token of the last text on: the prompts count for themselves.</summary>
    private TimeSpan Generate(IReadOnlyList<GenerationRequest> requests)
    {
        long start = 0;
        int drawn = 0;
        foreach (var _ in new BatchGenerator(model, work.Batch).Stream(requests))
            if (++drawn == requests.Count)
                start = Stopwatch.GetTimestamp();
        return Stopwatch.GetElapsedTime(start);
    }

    private TimeSpan Answer(IReadOnlyList<IReadOnlyList<LogLikelihoodRequest>> questions)
    {
        long start = Stopwatch.GetTimestamp();
        new LogLikelihoodReader(model, work.Batch).Answer(questions, (_, _) => { });
        return Stopwatch.GetElapsedTime(start);
    }

    private IEnumerable<LogLikelihoodRequest> Question(int number)
    {
        int[] context = [.. Drawn(SharedText, work.Prompt), .. Drawn(FirstQuestion + number, work.Question)];
        return Drawn(ChoicesText, InferenceWork.Choices).Select(choice => new LogLikelihoodRequest(context, [choice]));
    }

    /// <summary>Tokens of a text; the same for the same number.</summary>
    private int[] Drawn(int text, int count)
    {
        var random = new Random(text);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next((int)model.Vocabulary))];
    }
}
