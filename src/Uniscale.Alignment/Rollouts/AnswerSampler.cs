using Uniscale.Alignment.Prompts;
using Uniscale.Checkpoints.Saving;
using Uniscale.Evaluation.Generation;
using Uniscale.Evaluation.Inference;
using Uniscale.Training.Runtime;

namespace Uniscale.Alignment.Rollouts;

/// <summary>
/// Draws answers with the weights of a run between two steps, without copying them. Replicas draw the answers of different prompts; every
/// rank gets all. An answer is a function of
/// weights, prompt and seed, whatever is drawn beside it (decision 0210).
/// </summary>
/// <param name="runtime">The run.</param>
/// <param name="stops">Tokens that end an answer.</param>
public sealed class AnswerSampler(RankRuntime runtime, IReadOnlyList<int> stops)
{
    /// <summary>The answers to prompts, one for each way of sampling, prompt by prompt. Collective.</summary>
    /// <param name="prompts">What is answered.</param>
    /// <param name="sampling">How the answers to prompt i are drawn; of each prompt as many.</param>
    /// <param name="maxTokens">Tokens of an answer at most.</param>
    /// <param name="batch">Answers that a rank generates at a time.</param>
    public IReadOnlyList<DrawnAnswer> Draw(
        IReadOnlyList<ChatPrompt> prompts,
        Func<int, IReadOnlyList<SamplingOptions>> sampling,
        int maxTokens,
        int batch
    )
    {
        runtime.Settle();
        var mesh = runtime.Specification.Mesh;
        var place = mesh.CoordinateOf(runtime.World.Rank);
        int replicas = mesh.Data * mesh.Context,
            replica = (place.Data * mesh.Context) + place.Context;
        var own = Enumerable.Range(0, prompts.Count).Where(i => i % replicas == replica).ToList();
        var requests = own.SelectMany(i => sampling(i).Select(options => Request(prompts[i], options, maxTokens))).ToList();
        IReadOnlyList<Continuation> continuations;
        using (
            var model = InferenceModel.Of(
                runtime.Model,
                runtime.Specification,
                runtime.Configuration.ModelAt(runtime.Position.ConsumedTokens)
            )
        )
            continuations = new BatchGenerator(model, batch).Run(requests);
        bool speaks = place is { Tensor: 0, Pipeline: 0 };
        int each = own.Count == 0 ? 0 : requests.Count / own.Count;
        byte[] told = speaks ? Write(own, continuations, each) : [];
        var byPrompt = new List<DrawnAnswer>[prompts.Count];
        foreach (byte[] rank in GroupExchange.AllGather(runtime.World.HostGroup, told))
            Read(rank, prompts, byPrompt);
        return [.. byPrompt.SelectMany(answers => answers)];
    }

    private GenerationRequest Request(ChatPrompt prompt, SamplingOptions options, int maxTokens) =>
        new(prompt.Tokens)
        {
            Sampling = options,
            MaxTokens = maxTokens,
            StopTokens = [.. stops.Select(stop => new[] { stop })],
        };

    private static byte[] Write(List<int> prompts, IReadOnlyList<Continuation> continuations, int each)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes);
        for (int i = 0; i < continuations.Count; i++)
        {
            var answer = continuations[i];
            writer.Write(prompts[i / each]);
            writer.Write(answer.Reason == FinishReason.Stop);
            writer.Write(answer.CutMass);
            writer.Write(answer.Tokens.Count);
            foreach (int token in answer.Tokens)
                writer.Write(token);
            foreach (double probability in answer.LogProbabilities)
                writer.Write(probability);
        }
        writer.Flush();
        return bytes.ToArray();
    }

    private static void Read(byte[] bytes, IReadOnlyList<ChatPrompt> prompts, List<DrawnAnswer>[] byPrompt)
    {
        using var reader = new BinaryReader(new MemoryStream(bytes));
        while (reader.BaseStream.Position < bytes.Length)
        {
            int prompt = reader.ReadInt32();
            bool isEnded = reader.ReadBoolean();
            double cut = reader.ReadDouble();
            int[] tokens = new int[reader.ReadInt32()];
            double[] probabilities = new double[tokens.Length];
            for (int i = 0; i < tokens.Length; i++)
                tokens[i] = reader.ReadInt32();
            for (int i = 0; i < tokens.Length; i++)
                probabilities[i] = reader.ReadDouble();
            (byPrompt[prompt] ??= []).Add(new DrawnAnswer(prompts[prompt], tokens, probabilities, isEnded, cut));
        }
    }
}
